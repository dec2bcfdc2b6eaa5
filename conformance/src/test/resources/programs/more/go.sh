# Go: builds a module of two packages, runs its tests, and a server with a thousand goroutines.
# needs: /usr/bin/go
export GOCACHE=/tmp/gocache GOPATH=/tmp/gopath GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=0
mkdir -p /tmp/m/sum && cd /tmp/m
printf 'module example.org/m\n\ngo 1.19\n' > go.mod
printf 'package sum\n\nfunc Of(xs ...int) (n int) {\n\tfor _, x := range xs {\n\t\tn += x\n\t}\n\treturn\n}\n' > sum/sum.go
printf 'package sum\n\nimport "testing"\n\nfunc TestOf(t *testing.T) {\n\tif Of(1, 2, 3) != 6 {\n\t\tt.Fatal("wrong")\n\t}\n}\n' > sum/sum_test.go
cat > main.go <<'G'
package main

import ("fmt"; "io"; "net"; "net/http"; "os"; "os/exec"; "os/signal"; "sync"; "syscall"; "time"; "example.org/m/sum")

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil { panic(err) }
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "path ", r.URL.Path) }))
	var wg sync.WaitGroup; var mu sync.Mutex; good := 0; gate := make(chan bool, 50)
	for i := 0; i < 1000; i++ { wg.Add(1); go func(i int) { defer wg.Done(); gate <- true; defer func() { <-gate }()
		r, err := http.Get(fmt.Sprintf("http://%s/%d", l.Addr(), i)); if err != nil { fmt.Println(err); return }
		b, _ := io.ReadAll(r.Body); r.Body.Close(); if string(b) == fmt.Sprintf("path /%d", i) { mu.Lock(); good++; mu.Unlock() } }(i) }
	wg.Wait(); fmt.Println("http", good, sum.Of(1, 2, 3))
	out, _ := exec.Command("echo", "child").Output(); fmt.Print(string(out))
	c := make(chan os.Signal, 1); signal.Notify(c, syscall.SIGUSR1); syscall.Kill(os.Getpid(), syscall.SIGUSR1); fmt.Println(<-c)
	t := time.NewTicker(time.Millisecond); for i := 0; i < 20; i++ { <-t.C }; fmt.Println("ticks")
}
G
go vet ./sum; go build -o m . && ./m; go test ./sum | sed 's/\t[0-9.]*s$//'
