package dial

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/redis/rueidis"
)

// Redis reads the address of a server, such as redis://:password@host:6379/0. An
// error says what is wrong with it, without the secrets in it.
func Redis(address string) (rueidis.ClientOption, error) {
	o, err := rueidis.ParseURL(address)
	if fault, ok := errors.AsType[*url.Error](err); ok {
		err = fault.Err // the rest repeats the address, which may hold a password
	}
	if err != nil {
		return o, fmt.Errorf("not the address of a Redis server, such as redis://:password@127.0.0.1:6379/0: %w", err)
	}
	return o, nil
}
