package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Println("hello from Go", runtime.GOOS, len(os.Args))
}
