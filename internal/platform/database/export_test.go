package database

// Waiting says how many changes wait for the writer.
func (db *DB) Waiting() int { return len(db.writer.jobs) }

// Rest lets the readers' timer run out, and says how many are open.
func (db *DB) Rest() int {
	db.readers.trim()
	db.readers.mu.Lock()
	defer db.readers.mu.Unlock()
	return len(db.readers.idle)
}
