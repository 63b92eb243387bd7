//go:build unix

package app

import "syscall"

// affordable is how many connections may be open: as many as are asked for, and
// no more than leave a quarter of the files that the system lets the program
// open to everything else.
func affordable(most int) int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur > 1<<31 {
		return most
	}
	if room := int(files.Cur / 4 * 3); most == 0 || room < most {
		return room
	}
	return most
}
