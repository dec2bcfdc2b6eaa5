# HAProxy: balances over two servers, threads, statistics socket, reload by master.
# needs: /usr/sbin/haproxy
cd /tmp; for p in 1 2; do mkdir s$p; echo server $p > s$p/id; (cd s$p; exec python3 -m http.server -b 127.0.0.1 900$p >/dev/null 2>&1) & done
cat > h.cfg <<'C'
global
  stats socket /tmp/h.sock level admin
  nbthread 2
  maxconn 200
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen l
  bind 127.0.0.1:9000
  balance roundrobin
  server a 127.0.0.1:9001 check inter 200
  server b 127.0.0.1:9002 check inter 200
C
haproxy -c -f h.cfg | tail -1; for p in 1 2; do for i in $(seq 50); do curl -s -o /dev/null http://127.0.0.1:900$p/id && break; sleep 0.1; done; done
haproxy -D -W -p h.pid -f h.cfg 2>/dev/null; echo started $?; sleep 1
for i in $(seq 40); do curl -s http://127.0.0.1:9000/id; done | sort | uniq -c
python3 - <<'P'
import socket
s = socket.socket(socket.AF_UNIX); s.connect('/tmp/h.sock'); s.sendall(b'show servers state\n'); d = b''
while x := s.recv(65536): d += x
print(sum(1 for l in d.splitlines() if b'127.0.0.1' in l))
P
kill -USR2 $(cat h.pid); sleep 1; curl -s http://127.0.0.1:9000/id | cut -c1-6; kill $(cat h.pid | head -1); for i in $(seq 50); do [ -z "$(ps -C haproxy -o pid=)" ] && break; sleep 0.1; done; ps -C haproxy -o pid= | wc -l; kill %1 %2
