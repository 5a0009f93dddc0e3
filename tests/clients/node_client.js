// Asks for each URL through the proxy in http_proxy, with node's own modules only: http as absolute-form, https through CONNECT.
// Prints one line per URL, STATUS SHA256; status 1 when a CONNECT was refused (then the answer's status and body are printed).
'use strict';
const crypto = require('crypto');
const http = require('http');
const https = require('https');

const proxy = new URL(process.env.http_proxy);

function read(response, done) {
    const hash = crypto.createHash('sha256');
    response.on('data', (piece) => hash.update(piece));
    response.on('end', () => done(response.statusCode + ' ' + hash.digest('hex')));
}

function plain(url, done) {
    http.get({host: proxy.hostname, port: proxy.port, path: url.href, headers: {Host: url.host}}, (response) => read(response, done));
}

function tunnelled(url, done) {
    const authority = url.hostname + ':443';
    const request = http.request({host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: authority, headers: {Host: authority}});
    request.on('connect', (response, socket) => {
        if (response.statusCode !== 200) {
            process.exitCode = 1;
            socket.destroy();
            return done(String(response.statusCode));
        }
        https.get({host: url.hostname, path: url.pathname, socket: socket, agent: false, servername: url.hostname},
                  (inner) => read(inner, done));
    });
    request.end();
}

function next(urls) {
    if (urls.length) {
        const url = new URL(urls[0]);
        (url.protocol === 'http:' ? plain : tunnelled)(url, (line) => {
            console.log(line);
            next(urls.slice(1));
        });
    }
}

next(process.argv.slice(2));
