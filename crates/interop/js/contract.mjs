// The signalling contract that many stacks' test programs share: POST /offer, everything else comes back as it came.
// Uses nothing of the demo page but its origin.

export async function contract(tab, options) {
  await tab.goto(`${options.url}/?idle=1`, { waitUntil: 'load' });
  const seen = await tab.evaluate(inBrowser, { media: options.media, frames: options.frames, hold: options.hold, ice: options.ice });
  const stats = async () => (await fetch(`${options.url}/stats`)).json();
  seen.server = await stats();
  // Firefox says goodbye when its tab goes away. Chromium says nothing then, only when the page closes the connection.
  await (options.browser === 'firefox' ? tab.close() : tab.evaluate(() => window.connection.close()));
  const gone = performance.now();
  while ((await stats()).peers[0]?.connection === 'connected' && performance.now() - gone < 5_000) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  seen.noticed = { ms: Math.round(performance.now() - gone), peer: (await stats()).peers[0] };
  return seen;
}

// Runs inside the page.
async function inBrowser({ media, frames, hold, ice }) {
  const started = performance.now();
  const since = () => Math.round(performance.now() - started);
  const timings = {};
  const pc = window.connection = new RTCPeerConnection(
    ice ? { iceServers: ice, iceTransportPolicy: 'relay' } : {},
  );
  const channel = pc.createDataChannel('echo');
  channel.binaryType = 'arraybuffer';

  const inbox = [];
  let wake = () => {};
  channel.onmessage = ({ data }) => { inbox.push(data); wake(); };
  const received = async () => {
    while (inbox.length === 0) await new Promise((resolve) => { wake = resolve; });
    return inbox.shift();
  };
  const opened = new Promise((resolve, reject) => {
    channel.onopen = resolve;
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === 'connected') timings.connected = since();
      if (pc.connectionState === 'failed') reject(new Error('the connection failed'));
    };
  });

  const players = [];
  if (media) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 480 } });
    for (const track of stream.getTracks()) pc.addTrack(track, stream);
    pc.ontrack = ({ track }) => {
      const player = document.createElement('video');
      Object.assign(player, { autoplay: true, muted: true, playsInline: true, srcObject: new MediaStream([track]) });
      document.body.append(player);
      players.push(player);
    };
  }

  // All candidates in the offer: the plainest form of the contract.
  await pc.setLocalDescription(await pc.createOffer());
  const gathering = performance.now();
  while (pc.iceGatheringState !== 'complete') {
    await new Promise((resolve) => pc.addEventListener('icegatheringstatechange', resolve, { once: true }));
  }
  timings.gathering = Math.round(performance.now() - gathering);
  const offered = performance.now();
  const reply = await fetch('/offer', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sdp: pc.localDescription.sdp, type: 'offer' }),
  });
  const answer = await reply.json();
  if (!reply.ok) throw new Error(`POST /offer: ${reply.status}: ${answer.error}`);
  await pc.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
  await opened;
  timings.open = Math.round(performance.now() - offered);

  const echoes = {};
  const words = 'Grüße, ginnel \u{1F6AA}';
  channel.send(words);
  const text = await received();
  echoes.text = typeof text === 'string' && text === words;
  channel.send('');
  echoes.empty = (await received()) === '';

  const same = (a, b) => a.byteLength === b.byteLength && new Uint8Array(a).every((octet, i) => octet === b[i]);
  const octets = (length, salt) => Uint8Array.from({ length }, (_, i) => (i * 31 + salt * 7 + (i >> 8)) & 0xff);
  const small = octets(1000, 1);
  channel.send(small);
  echoes.binary = same(await received(), small);

  // One megabyte in pieces, all in flight at once.
  const pieces = Array.from({ length: 16 }, (_, i) => octets(65536, i));
  for (const piece of pieces) channel.send(piece);
  echoes.megabyte = true;
  for (const piece of pieces) echoes.megabyte &&= same(await received(), piece);

  const report = async () => [...(await pc.getStats()).values()];
  const inbound = async (kind) => (await report()).find((s) => s.type === 'inbound-rtp' && s.kind === kind) ?? {};
  const counters = async () => ({
    frames: (await inbound('video')).framesDecoded ?? 0,
    audio: (await inbound('audio')).packetsReceived ?? 0,
  });
  const result = { timings, echoes };
  if (media) {
    let now = await counters();
    while (now.frames < frames || now.audio < 50) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      now = await counters();
    }
    timings.frames = since();
    result.first = now;
  }
  const end = performance.now() + hold * 1000;
  while (performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 250));
  if (hold > 0) {
    result.held = await counters();
    channel.send('still there?');
    echoes.held = (await received()) === 'still there?';
  }
  result.counters = media ? await counters() : null;
  const stats = await report();
  const transport = stats.find((s) => s.type === 'transport') ?? {};
  result.transport = { dtls: transport.tlsVersion ?? null, srtp: transport.srtpCipher ?? null, ice: transport.iceState ?? null };
  const pair = stats.find((s) => s.id === transport.selectedCandidatePairId)
    ?? stats.find((s) => s.type === 'candidate-pair' && s.selected) ?? {};
  const local = stats.find((s) => s.id === pair.localCandidateId) ?? {};
  result.local = { type: local.candidateType ?? null, relay: local.relayProtocol ?? null };
  result.offer = pc.localDescription.sdp;
  result.answer = answer.sdp;
  result.state = pc.connectionState;
  return result;
}
