package accounts

import (
	"sync/atomic"

	"emporium/internal/platform/database"
)

// CountHashes counts every password hash that a service computes from now on.
func CountHashes(s *Service) *atomic.Int64 {
	count, derive := new(atomic.Int64), s.hasher.derive
	s.hasher.derive = func(password string, salt []byte, cost Argon, size uint32) []byte {
		count.Add(1)
		return derive(password, salt, cost, size)
	}
	return count
}

// HoldHashes makes every hash of a service wait until the channel is closed.
func HoldHashes(s *Service, until <-chan struct{}) {
	derive := s.hasher.derive
	s.hasher.derive = func(password string, salt []byte, cost Argon, size uint32) []byte {
		<-until
		return derive(password, salt, cost, size)
	}
}

// IsMail says whether a text can be a mail address.
func IsMail(s string) bool { return isMail(s) }

// ReadHash reads a PHC string and writes it again.
func ReadHash(text string) (string, error) {
	h, err := parseHash(text)
	return h.String(), err
}

// Seen says how many tokens a service remembers.
func Seen(s *Service) int {
	s.verifier.seen.mu.RLock()
	defer s.verifier.seen.mu.RUnlock()
	return len(s.verifier.seen.tokens)
}

// Hashing says how many hashes are being computed.
func Hashing(s *Service) int { return len(s.hasher.slots) }

// Database is where a service keeps its rows.
func Database(s *Service) *database.DB { return s.options.DB }
