# CPython's own regression tests: a verdict for each case.
# needs: /usr/lib/python3.11/test/test_os.py
# limit: 1500
export HOME=/tmp PYTHONDONTWRITEBYTECODE=1; cd /tmp; ulimit -c 0
for m in ${CPYTHON_TESTS:-test_os test_posix test_subprocess test_signal test_socket test_select test_selectors test_asyncio test_threading test_multiprocessing_fork test_multiprocessing_spawn test_multiprocessing_forkserver test_mmap test_io test_fcntl test_pty test_resource test_shutil test_tempfile test_time}; do
timeout -k 5 ${CPYTHON_LIMIT:-150} python3 -m test -u none --timeout 60 --junit-xml /tmp/$m.xml $m >/tmp/$m.log 2>&1; echo "$m: ended $?"
python3 - /tmp/$m.xml <<'P' || tail -3 /tmp/$m.log
import sys, xml.etree.ElementTree as E
for c in sorted(E.parse(sys.argv[1]).iter('testcase'), key=lambda c: c.get('name')):
    bad = [x.tag for x in c if x.tag in ('failure', 'error', 'skipped')]
    print(c.get('name'), bad[0] if bad else 'ok')
P
done
