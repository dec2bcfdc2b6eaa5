# Node: an HTTP server and client, worker threads, child processes, a cluster, timers, files.
# needs: /usr/bin/node
cd /tmp
cat > http.js <<'J'
const http = require('http'), { Worker, isMainThread, parentPort, workerData } = require('worker_threads'), fs = require('fs'), cp = require('child_process'), crypto = require('crypto'), zlib = require('zlib');
if (!isMainThread) { let n = 0; for (let i = 0; i < 1e6; i++) n = (n + i * workerData) % 1000003; parentPort.postMessage(n); return; }
const get = (port, path) => new Promise((ok, bad) => http.get({ host: '127.0.0.1', port, path, agent }, r => { let s = ''; r.on('data', d => s += d).on('end', () => ok(s)); }).on('error', bad));
const agent = new http.Agent({ keepAlive: true, maxSockets: 20 });
(async () => {
  const s = http.createServer((q, r) => r.end('you asked for ' + q.url)); await new Promise(ok => s.listen(0, '127.0.0.1', ok));
  const all = await Promise.all([...Array(500).keys()].map(i => get(s.address().port, '/' + i)));
  console.log('http', all.length, all.every((t, i) => t === 'you asked for /' + i)); s.close(); agent.destroy();
  console.log('workers', await Promise.all([1, 2, 3, 4].map(w => new Promise((ok, bad) => new Worker(__filename, { workerData: w }).on('message', ok).on('error', bad)))));
  console.log('exec', cp.execSync('echo child; id -u').toString().trim().split('\n'));
  const c = cp.spawn('cat'); let out = ''; c.stdout.on('data', d => out += d); c.stdin.end('x'.repeat(200000)); await new Promise(ok => c.on('close', ok)); console.log('spawn', out.length);
  await Promise.all([...Array(100).keys()].map(i => fs.promises.writeFile('/tmp/f' + i, 'n' + i))); console.log('files', (await fs.promises.readdir('/tmp')).filter(f => /^f\d+$/.test(f)).length);
  console.log('zlib', zlib.gunzipSync(zlib.gzipSync(Buffer.alloc(1e6, 'a'))).length, crypto.createHash('sha1').update('x').digest('hex'));
  console.log('pbkdf2', await new Promise(ok => crypto.pbkdf2('p', 's', 1000, 16, 'sha256', (e, k) => ok(k.toString('hex')))));
  const w = fs.watch('/tmp', (e, f) => { if (f === 'watched') { console.log('watch', f); w.close(); } }); fs.writeFileSync('/tmp/watched', '1');
})();
J
node http.js
cat > cluster.js <<'J'
const cluster = require('cluster'), http = require('http');
if (cluster.isPrimary) {
  let up = 0; for (let i = 0; i < 3; i++) cluster.fork();
  cluster.on('listening', async (w, a) => { if (++up < 3) return;
    const seen = new Set(); for (let i = 0; i < 30; i++) seen.add(await new Promise(ok => http.get({ host: '127.0.0.1', port: a.port, agent: false }, r => { let s = ''; r.on('data', d => s += d).on('end', () => ok(s)); })));
    console.log('cluster', seen.size); for (const id in cluster.workers) cluster.workers[id].kill(); });
  let gone = 0; cluster.on('exit', (w, code, sig) => { if (++gone == 3) console.log('all gone', sig); });
} else http.createServer((q, r) => r.end('' + process.pid)).listen(8123, '127.0.0.1');
J
node cluster.js
