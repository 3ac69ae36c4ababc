// Drives the vendor of vendor.json with Node's own clients: node drive.js URL [CA]. For fetch, the
// CA has to be in NODE_EXTRA_CA_CERTS as well.
'use strict';
const fs = require('fs');
const zlib = require('zlib');
const [url, caFile] = process.argv.slice(2);
const http = require(url.startsWith('https') ? 'https' : 'http');
const options = caFile ? {ca: fs.readFileSync(caFile)} : {};

// One thing has several names, by the version of Node.
const names = {UND_ERR_SOCKET: 'cut off', UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'cut off'};
const failure = path => fetch(url + path).then(answer => answer.text())
    .then(() => 'answered', error => names[(error.cause || error).code] || (error.cause || error).code);
const took = async (path, least) => {
  const begin = performance.now();
  const body = await (await fetch(url + path)).text();
  const ms = performance.now() - begin;
  return [body.length, ms >= least - 1 && ms < 5000].join(' ');
};

(async () => {
  const flaky = [];
  for (let i = 0; i < 3; i++) flaky.push((await fetch(url + '/flaky')).status);
  console.log('flaky', ...flaky);
  console.log('slow', await took('/slow', 150));
  console.log('drip', await took('/drip', 150));
  const answers = [];
  for (let i = 0; i < 3; i++) answers.push(await fetch(url + '/limited'));
  console.log('limited', ...answers.map(a => a.status),
              ...answers.map(a => a.headers.get('x-ratelimit-remaining')));
  for (const path of ['/reset', '/half', '/cut']) console.log(path, await failure(path));

  const agent = new http.Agent({keepAlive: true, maxSockets: 1, ...options});
  const ask = n => new Promise((done, fail) => http.get(url + '/v1/orders/o' + n, {agent, ...options}, answer => {
    answer.resume();
    answer.on('end', () => done(answer.req.reusedSocket));
  }).on('error', fail));
  const reused = [];
  for (let i = 0; i < 3; i++) {
    reused.push(await ask(i));
    await new Promise(setImmediate);
  }
  console.log('kept alive', ...reused);
  agent.destroy();
  // Not by fetch: over TLS, that of Node 20 never settles when gzip is bad.
  http.get(url + '/gzip', options, answer => {
    const unzip = answer.pipe(zlib.createGunzip());
    unzip.on('error', error => console.log('gzip', error.code));
    unzip.on('end', () => console.log('gzip', 'good'));
    unzip.resume();
  });
})();
