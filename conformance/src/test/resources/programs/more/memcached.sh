# memcached: four threads, TCP and a Unix socket, many clients, eviction, statistics.
# needs: /usr/bin/memcached
memcached -u nobody -l 127.0.0.1 -p 11311 -t 4 -m 16 & m=$!; memcached -u nobody -s /tmp/mc.sock -a 777 & n=$!; sleep 0.5
cat > /tmp/m.py <<'P'
import socket, threading
def conn():
    s = socket.create_connection(('127.0.0.1', 11311)); return s, s.makefile('rb')
def work(i, res):
    s, f = conn(); ok = 0
    for j in range(200):
        v = (f'{i}-{j}' * 20).encode(); s.sendall(b'set k%d-%d 0 0 %d\r\n%s\r\n' % (i, j, len(v), v)); assert f.readline() == b'STORED\r\n'
        s.sendall(b'get k%d-%d\r\n' % (i, j)); h = f.readline(); ok += f.read(len(v)) == v; f.read(7)
    res[i] = ok
res = [0] * 8; ts = [threading.Thread(target=work, args=(i, res)) for i in range(8)]; [t.start() for t in ts]; [t.join() for t in ts]; print(res)
s, f = conn(); s.sendall(b'set c 0 0 1\r\n0\r\n'); f.readline()
def inc():
    s, f = conn()
    for _ in range(300): s.sendall(b'incr c 1\r\n'); f.readline()
ts = [threading.Thread(target=inc) for _ in range(5)]; [t.start() for t in ts]; [t.join() for t in ts]; s.sendall(b'get c\r\n'); f.readline(); print(f.readline())
big = b'z' * 500000
f.readline()
for i in range(100): s.sendall(b'set big%d 0 0 %d\r\n%s\r\n' % (i, len(big), big)); assert f.readline() == b'STORED\r\n'
s.sendall(b'stats\r\n'); st = {}
while (l := f.readline()) != b'END\r\n': k = l.split(); st[k[1]] = k[2]
print(st[b'threads'], int(st[b'evictions']) > 0, st[b'cmd_set'])
u = socket.socket(socket.AF_UNIX); u.connect('/tmp/mc.sock'); u.sendall(b'version\r\n'); print(u.recv(100)[:7])
P
python3 /tmp/m.py; kill $m $n; wait $m; echo $?
