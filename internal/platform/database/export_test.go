package database

// Waiting says how many changes wait for the writer.
func (db *DB) Waiting() int { return len(db.writer.jobs) }
