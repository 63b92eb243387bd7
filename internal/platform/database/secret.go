package database

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"fmt"
)

// checkSecret compares the secret with the one that the database was written
// with, by a mark that tells nothing of it. Processes that share a server must
// have the same: with another, a request that is repeated at another process
// would be taken for another request ([Once]). A file has one owner, who may
// change it.
func checkSecret(ctx context.Context, db *sql.DB, on dialect, o Options) error {
	if len(o.Secret) == 0 {
		return nil
	}
	mac := hmac.New(sha256.New, o.Secret)
	mac.Write([]byte("the mark of the secret"))
	mark, stored := mac.Sum(nil), []byte(nil)
	if _, err := db.ExecContext(ctx, `INSERT INTO secret_mark (id, mark) VALUES (1, $1) ON CONFLICT (id) DO NOTHING`, mark); err != nil {
		return fmt.Errorf("note the secret's mark: %w", err)
	}
	if err := db.QueryRowContext(ctx, `SELECT mark FROM secret_mark WHERE id = 1`).Scan(&stored); err != nil {
		return fmt.Errorf("read the secret's mark: %w", err)
	}
	switch {
	case bytes.Equal(mark, stored):
		return nil
	case on.shared:
		return fmt.Errorf("%w: %s was written with another; give all processes the same --secret (EMPORIUM_SECRET), "+
			"which is in secret.key of the data folder where the first made its own; "+
			"to change it for good, stop them all and run: DELETE FROM secret_mark", ErrOtherSecret, on.where)
	}
	o.Log.WarnContext(ctx, "the secret is another than before: requests repeated from before are taken for others", "database", on.where)
	_, err := db.ExecContext(ctx, `UPDATE secret_mark SET mark = $1 WHERE id = 1`, mark)
	return err
}
