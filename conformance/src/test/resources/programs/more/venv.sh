# Python: a virtual environment, a wheel built and installed from a directory, multiprocessing.
# needs: /usr/bin/pip3
cd /tmp && python3 -m venv env && . env/bin/activate && python -c 'import sys; print(sys.prefix)'
deactivate; python3 -m venv --system-site-packages env2 && . env2/bin/activate
mkdir -p pkg/hello && cd pkg && echo 'def greet(n): return "hello " + n' > hello/__init__.py
printf 'from setuptools import setup\nsetup(name="hello", version="0.1", packages=["hello"], entry_points={"console_scripts": ["hi=hello:greet"]})\n' > setup.py
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INDEX=1 PIP_ROOT_USER_ACTION=ignore
python setup.py -q bdist_wheel 2>/dev/null; ls dist
pip install -q dist/*.whl; pip list 2>/dev/null | grep hello; python -c 'import hello; print(hello.greet("wheel"))'
cd /tmp; cat > mp.py <<'P'
import multiprocessing as mp, concurrent.futures as cf
def f(x): return x * x
if __name__ == '__main__':
    for m in 'fork', 'spawn', 'forkserver':
        with mp.get_context(m).Pool(3) as p: print(m, sum(p.map(f, range(100))))
    with cf.ProcessPoolExecutor(2) as e: print(list(e.map(f, range(5))))
    q = mp.Queue(); ps = [mp.Process(target=q.put, args=(i,)) for i in range(5)]; [p.start() for p in ps]; print(sorted(q.get() for _ in ps)); [p.join() for p in ps]
    v = mp.Value('i', 0)
    def inc():
        for _ in range(500):
            with v.get_lock(): v.value += 1
    ps = [mp.get_context('fork').Process(target=inc) for _ in range(4)]; [p.start() for p in ps]; [p.join() for p in ps]; print(v.value)
    with mp.Manager() as m: d = m.dict(); p = mp.Process(target=d.update, args=({'a': 1},)); p.start(); p.join(); print(dict(d))
    from multiprocessing import shared_memory as sm; s = sm.SharedMemory(create=True, size=100); s.buf[:3] = b'abc'; t = sm.SharedMemory(s.name); print(bytes(t.buf[:3])); t.close(); s.close(); s.unlink()
P
python mp.py
