// Drives one real browser through one scenario and prints what it saw as one line of JSON.
//
//   node browser.mjs '{"browser":"chromium","url":"http://127.0.0.1:8080","scenario":"contract", ...}'
//
// Options: browser (chromium | firefox), url, scenario (contract | page), media (bool), mdns (bool: hide addresses
// behind .local names), dtls ("1.2" caps the browser), hold (seconds to stay connected), frames (how many video frames
// must be decoded), denied (bool: the camera is asked for and refused), leave (bool: close the tab instead of disconnecting), screenshots ([{path, theme, width, height}]), ice (servers as RTCPeerConnection takes them: all must
// pass a relay of theirs), authority (a file with the certificate, in PEM, that vouches for them), deadline (seconds).

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { contract } from './contract.mjs';
import { page as demoPage } from './page.mjs';

const options = {
  media: false, mdns: false, denied: false, leave: false, hold: 0, frames: 60, screenshots: [], ice: null,
  authority: '', deadline: 60,
  ...JSON.parse(process.argv[2]),
};
const profile = mkdtempSync(join(tmpdir(), 'ginnel-browser-'));
const log = [];

// Trusts what `authority` vouches for. Both browsers read a database of NSS: Firefox one in its profile, Chromium the user's.
function trust(database) {
  mkdirSync(database, { recursive: true });
  const certutil = (...words) => execFileSync('certutil', [...words, '-d', `sql:${database}`]);
  certutil('-N', '--empty-password');
  certutil('-A', '-n', 'ginnel', '-t', 'C,,', '-i', options.authority);
}

function chromium() {
  const args = [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream',
    '--autoplay-policy=no-user-gesture-required',
  ];
  // Permission to use the camera also lifts mDNS hiding, so the two are asked for separately.
  if (options.media) args.push('--use-fake-ui-for-media-stream');
  if (!options.mdns) args.push('--disable-features=WebRtcHideLocalIpsWithMdns');
  const env = { ...process.env };
  if (options.authority) {
    // The user of these tests is the profile's.
    env.HOME = profile;
    trust(join(profile, '.pki/nssdb'));
  }
  return puppeteer.launch({ executablePath: '/usr/bin/chromium', headless: true, userDataDir: profile, args, env });
}

function firefox() {
  if (options.authority) trust(profile);
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: '/usr/bin/firefox-esr',
    headless: true,
    userDataDir: profile,
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.peerconnection.ice.obfuscate_host_addresses': options.mdns,
      'media.autoplay.default': 0,
      ...(options.dtls === '1.2' ? { 'media.peerconnection.dtls.version.max': 771 } : {}),
    },
  });
}

async function run() {
  const browser = await (options.browser === 'firefox' ? firefox() : chromium());
  try {
    const tab = await browser.newPage();
    tab.on('console', (message) => log.push(message.text()));
    tab.on('response', (response) => {
      if (response.status() >= 400) log.push(`${response.status()} ${response.request().method()} ${response.url()}`);
    });
    tab.on('pageerror', (error) => log.push(`page error: ${error.message}`));
    return await (options.scenario === 'page' ? demoPage(tab, options) : contract(tab, options));
  } finally {
    await browser.close();
  }
}

const deadline = new Promise((_, reject) => {
  setTimeout(() => reject(new Error(`not done after ${options.deadline} s`)), options.deadline * 1000).unref();
});
let status = 0;
try {
  console.log(JSON.stringify({ ...await Promise.race([run(), deadline]), log }));
} catch (error) {
  console.log(JSON.stringify({ error: String(error?.message ?? error), log }));
  status = 1;
} finally {
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(status);
