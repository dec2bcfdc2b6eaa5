cat > /tmp/t.py <<'P'
import os, sys, subprocess, threading, mmap, tempfile, socket, select, signal, time, asyncio, json, hashlib, struct, fcntl, shutil
print(subprocess.run(['echo', 'sub'], capture_output=True, text=True).stdout.strip())
p = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE); print(p.communicate(b'data' * 50000)[0] == b'data' * 50000)
try: subprocess.run(['sleep', '5'], timeout=0.2)
except subprocess.TimeoutExpired: print('timeout')
n = [0]; lock = threading.Lock()
def work():
    for _ in range(1000):
        with lock: n[0] += 1
ts = [threading.Thread(target=work) for _ in range(20)]; [t.start() for t in ts]; [t.join() for t in ts]; print(n)
with open('/tmp/m', 'wb') as f: f.write(b'\0' * 8192)
with open('/tmp/m', 'r+b') as f:
    m = mmap.mmap(f.fileno(), 0); m[5:10] = b'hello'; m.flush(); print(open('/tmp/m', 'rb').read()[5:10]); m.close()
m = mmap.mmap(-1, 4096)
if os.fork() == 0: m[0:3] = b'abc'; os._exit(0)
os.wait(); print(m[0:3])
a, b = socket.socketpair(); a.sendall(b'x' * 1000); print(len(b.recv(2000)))
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); c = socket.create_connection(s.getsockname()); d, _ = s.accept(); c.sendall(b'net'); print(d.recv(10)); c.close(); print(d.recv(10))
async def main():
    async def w(i): await asyncio.sleep(0.01 * (5 - i)); return i
    print(await asyncio.gather(*(w(i) for i in range(5))))
    p = await asyncio.create_subprocess_exec('echo', 'async', stdout=asyncio.subprocess.PIPE); print((await p.communicate())[0])
    srv = await asyncio.start_server(lambda r, w: (w.write(b'hi'), w.close()), '127.0.0.1', 0); r, w = await asyncio.open_connection(*srv.sockets[0].getsockname()); print(await r.read()); srv.close()
asyncio.run(main())
signal.signal(signal.SIGUSR1, lambda *a: print('signal')); os.kill(os.getpid(), signal.SIGUSR1); time.sleep(0.01)
signal.setitimer(signal.ITIMER_REAL, 0.05); signal.signal(signal.SIGALRM, lambda *a: print('alarm')); signal.pause()
r, w = os.pipe(); ep = select.epoll(); ep.register(r, select.EPOLLIN); print(ep.poll(0)); os.write(w, b'1'); print(len(ep.poll(1)))
print(hashlib.sha256(b'x' * 10**6).hexdigest()[:16], struct.pack('<I', 7), os.cpu_count() > 0)
d = tempfile.mkdtemp(); open(d + '/a', 'w').write('1'); shutil.copytree(d, d + '2'); print(os.listdir(d + '2')); shutil.rmtree(d)
with open('/tmp/lk', 'w') as f: fcntl.flock(f, fcntl.LOCK_EX); fcntl.lockf(f, fcntl.LOCK_EX); print('locked')
print(sys.version_info[:2], os.uname().sysname, os.getcwd(), os.path.realpath('/proc/self/exe'))
pid, fd = os.forkpty()
if pid == 0: os.execlp('tty', 'tty')
out = b''
try:
    while True:
        x = os.read(fd, 100)
        if not x: break
        out += x
except OSError: pass
print(out.startswith(b'/dev/pts/'), os.waitpid(pid, 0)[1])
print(os.statvfs('/tmp').f_bsize, len(os.urandom(8)), os.sched_getaffinity(0) != set())
try:
    import sqlite3; db = sqlite3.connect('/tmp/q.db'); db.execute('create table t(a)'); db.executemany('insert into t values(?)', ((i,) for i in range(1000))); db.commit(); print(db.execute('select sum(a) from t').fetchone())
except ImportError as e: print(e)
try:
    import multiprocessing as mp
    with mp.get_context('fork').Pool(3) as pool: print(pool.map(abs, range(-5, 5)))
    q = mp.get_context('spawn').Queue(); q.put(3); print(q.get())
except ImportError as e: print(e)
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as ex: print(sum(ex.map(lambda i: i * i, range(100))))
P
python3 /tmp/t.py
