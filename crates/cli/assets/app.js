// The demo page: one peer connection to the Ginnel that served it.
//
//   Signalling  the HTTP routes of the server
//   Session     the peer connection, the camera and the chat channel; tells what happens through callbacks
//   View        everything that touches the document
//
// The offer leaves before any candidate is gathered and before the camera is there: neither delays the connection.

const query = new URLSearchParams(location.search);
const byId = (id) => document.getElementById(id);
const POLL_MS = { connecting: 250, connected: 1000 };

// What tests read.
window.ginnel = { state: "idle", timings: {}, stats: null };

class Signalling {
  session = null;

  async post(path, body) {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }).catch(() => {
      throw new Error("The server cannot be reached. See whether it still runs, then connect again.");
    });
    if (response.ok) return response;
    const reason = await response.json().catch(() => ({}));
    throw new Error(reason.error ?? `The server refused (HTTP ${response.status}). Its log says why.`);
  }

  async offer(description) {
    const answer = await (await this.post("/offer", { sdp: description.sdp, type: description.type })).json();
    this.session = answer.session;
    return { sdp: answer.sdp, type: answer.type };
  }

  // Null stands for the end of candidates.
  candidate(candidate) {
    return this.post("/candidate", {
      session: this.session,
      candidate: candidate?.candidate ?? null,
      sdpMid: candidate?.sdpMid ?? null,
      sdpMLineIndex: candidate?.sdpMLineIndex ?? null,
    });
  }

  // Undefined if the server does not answer, null if it does not know the session any more.
  async stats() {
    try {
      const response = await fetch(`/stats?session=${encodeURIComponent(this.session)}`, { cache: "no-store" });
      return response.ok ? ((await response.json()).peers[0] ?? null) : undefined;
    } catch {
      return undefined;
    }
  }

  // A beacon is sent even while the page unloads.
  hangup() {
    if (this.session === null) return;
    const body = new Blob([JSON.stringify({ session: this.session })], { type: "application/json" });
    navigator.sendBeacon("/hangup", body);
    this.session = null;
  }
}

class Session {
  #signalling = new Signalling();
  #started = performance.now();
  #connection;
  #chat;
  #devices = null;
  #echo = new MediaStream();
  #waiting = [];
  #trickle = Promise.resolve();
  #over = false;
  #poll;
  #unanswered = 0;
  timings = {};

  constructor(config, handlers) {
    this.on = handlers;
    const iceServers = config.stun ? [{ urls: config.stun }] : [];
    this.#connection = new RTCPeerConnection({ iceServers });
    this.#chat = this.#connection.createDataChannel("chat");
    this.#chat.binaryType = "arraybuffer";
  }

  async start(withMedia) {
    this.#listen();
    if (withMedia) this.#openDevices({ audio: this.#sender("audio"), video: this.#sender("video") });
    try {
      await this.#connection.setLocalDescription(await this.#connection.createOffer());
      const answer = await this.#signalling.offer(this.#connection.localDescription);
      if (this.#over) return this.#signalling.hangup();
      this.#mark("answer_ms");
      this.#flush();
      this.#schedule();
      await this.#connection.setRemoteDescription(answer);
    } catch (error) {
      this.fail(error.message);
    }
  }

  #sender(kind) {
    return this.#connection.addTransceiver(kind, { direction: "sendrecv" }).sender;
  }

  send(text) {
    this.#chat.send(text);
  }

  // Ends it in silence; what was wrong, if anything, has been told.
  stop() {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#poll);
    this.#signalling.hangup();
    this.#chat.close();
    this.#connection.close();
    this.#devices?.getTracks().forEach((track) => track.stop());
  }

  fail(reason) {
    if (this.#over) return;
    this.stop();
    this.on.failed(reason);
  }

  #mark(name) {
    if (name in this.timings) return;
    this.timings[name] = performance.now() - this.#started;
    this.on.timings(this.timings);
  }

  #listen() {
    const connection = this.#connection;
    connection.onicecandidate = ({ candidate }) => {
      this.#waiting.push(candidate);
      this.#flush();
    };
    connection.oniceconnectionstatechange = () => this.#onIceState();
    connection.ontrack = ({ track }) => {
      this.#echo.addTrack(track);
      if (track.kind !== "video") return;
      const video = this.on.echo(this.#echo);
      video.addEventListener("playing", () => this.#mark("video_ms"), { once: true });
    };
    connection.onconnectionstatechange = () => {
      if (connection.connectionState === "failed" && connection.iceConnectionState !== "failed") {
        this.fail("The keys could not be agreed on (DTLS failed). Reload the page and try again.");
      }
    };
    const dtls = () => connection.sctp?.transport;
    connection.onsignalingstatechange = () => {
      dtls()?.addEventListener("statechange", () => {
        if (dtls().state === "connected") this.#mark("dtls_ms");
      });
    };
    this.#chat.onopen = () => {
      this.#mark("dtls_ms");
      this.#mark("open_ms");
      this.on.open();
    };
    this.#chat.onmessage = ({ data }) => this.on.message(data);
    this.#chat.onclose = () => this.fail("Ginnel has closed the connection. Connect again to go on.");
  }

  async #onIceState() {
    const state = this.#connection.iceConnectionState;
    if (state === "connected" || state === "completed") {
      this.#mark("ice_ms");
      this.on.path(true);
    } else if (state === "disconnected") {
      this.on.path(false);
    } else if (state === "failed") {
      const peer = await this.#signalling.stats();
      const reason = peer?.failure ?? "No path between this browser and Ginnel works.";
      this.fail(`${reason} A firewall may drop UDP, or the addresses may be out of each other's reach.`);
    }
  }

  // Candidates wait for the session's name, and then go one after another.
  #flush() {
    if (this.#signalling.session === null) return;
    for (const candidate of this.#waiting.splice(0)) {
      this.#trickle = this.#trickle
        .then(() => this.#over || this.#signalling.candidate(candidate))
        .catch((error) => this.fail(error.message));
    }
  }

  async #openDevices(senders) {
    try {
      const stream = await cameraAndMicrophone();
      if (this.#over) return stream.getTracks().forEach((track) => track.stop());
      this.#devices = stream;
      this.on.camera(stream);
      for (const track of stream.getTracks()) await senders[track.kind].replaceTrack(track);
    } catch (error) {
      if (!this.#over) this.on.noCamera(error.name);
    }
  }

  #schedule() {
    const pace = this.#chat.readyState === "open" ? POLL_MS.connected : POLL_MS.connecting;
    this.#poll = setTimeout(async () => {
      const peer = await this.#signalling.stats();
      if (this.#over) return;
      this.#onStats(peer);
      if (!this.#over) this.#schedule();
    }, pace);
  }

  #onStats(peer) {
    this.#unanswered = peer === undefined ? this.#unanswered + 1 : 0;
    if (this.#unanswered >= 3) {
      this.fail("The server does not answer any more. Start it again, then connect.");
    } else if (peer === null) {
      this.fail("Ginnel has ended the session. Connect again to go on.");
    } else if (peer) {
      this.on.stats(peer);
      if (peer.failure) this.fail(peer.failure);
    }
  }
}

// Both, or the one that there is.
async function cameraAndMicrophone() {
  if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
  const video = { width: 640, height: 480 };
  const open = (wish) => navigator.mediaDevices.getUserMedia(wish);
  const missing = (error) => {
    if (error.name !== "NotFoundError") throw error;
  };
  return (await open({ audio: true, video }).catch(missing))
    ?? (await open({ video }).catch(missing))
    ?? open({ audio: true });
}

// The browser may tell of two phases in one breath, and of the later one first.
const between = (from, to) => (from == null || to == null ? null : Math.max(0, to - from));

const format = {
  ms: (value) => (value == null ? "–" : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`),
  bytes(value) {
    if (value == null) return "–";
    const power = Math.min(3, Math.floor(Math.log10(Math.max(1, value)) / 3));
    const shown = value / 1000 ** power;
    return `${power && shown < 100 ? shown.toFixed(1) : Math.round(shown)} ${["B", "kB", "MB", "GB"][power]}`;
  },
  count: (value) => (value == null ? "–" : value.toLocaleString("en")),
  address({ address, port }) {
    return `${address.includes(":") ? `[${address}]` : address}:${port}`;
  },
};

class View {
  #echoes = [];

  constructor() {
    this.button = byId("connect");
    this.form = byId("chat");
    this.line = byId("line");
    this.listen = byId("listen");
  }

  status(tone, text) {
    byId("status").dataset.tone = tone;
    byId("status").textContent = text;
  }

  notice(text, tone = "bad") {
    const notice = byId("notice");
    notice.hidden = !text;
    notice.dataset.tone = tone;
    notice.textContent = text ?? "";
  }

  // Whether a session is there, and whether its channel is open.
  live(session, open) {
    this.button.textContent = session ? "Disconnect" : "Connect";
    this.button.toggleAttribute("data-live", session);
    this.line.disabled = !open;
    byId("send").disabled = !open;
    this.line.placeholder = open ? "Say something" : "Connect to write";
  }

  phases(row, values) {
    byId(row).querySelectorAll("td").forEach((cell, index) => {
      cell.textContent = format.ms(values[index]);
    });
  }

  video(id, stream, note) {
    const video = byId(id);
    video.srcObject = stream;
    video.toggleAttribute("data-live", stream !== null);
    this.note(id, note);
    return video;
  }

  // The echo of a microphone beside its speaker howls, so it is heard only on request.
  hear(on) {
    byId("echo").muted = !on;
    this.listen.setAttribute("aria-pressed", String(on));
    this.listen.textContent = on ? "Mute" : "Hear it";
  }

  note(id, text) {
    byId(`${id}-note`).textContent = text;
  }

  sent(text) {
    this.#echoes.push({ text, at: performance.now(), item: this.#logLine(text, "sent") });
  }

  // Echoes come back in the order of what was sent.
  received(data) {
    const now = performance.now();
    const text = typeof data === "string" ? data : `${data.byteLength} octets`;
    if (this.#echoes[0]?.text !== data) return this.#logLine(text, "from Ginnel");
    const { at, item } = this.#echoes.shift();
    item.className = "back";
    item.lastChild.textContent = `back in ${format.ms(now - at)}`;
  }

  forgetEchoes() {
    for (const { item } of this.#echoes.splice(0)) item.lastChild.textContent = "never came back";
  }

  #logLine(text, note) {
    const log = byId("log");
    log.querySelector(".empty")?.remove();
    const item = document.createElement("li");
    item.append(element("span", text), element("small", note));
    log.append(item);
    while (log.children.length > 200) log.firstChild.remove();
    log.scrollTop = log.scrollHeight;
    return item;
  }

  stats(peer) {
    const { ice_ms, dtls_ms, sctp_ms, total_ms } = peer.phases;
    this.phases("phases-server", [ice_ms, dtls_ms, sctp_ms, total_ms]);
    byId("bytes-up").textContent = format.bytes(peer.bytes_received);
    byId("bytes-down").textContent = format.bytes(peer.bytes_sent);
    byId("video-in").textContent = format.count(peer.media?.packets_received);
    byId("video-out").textContent = format.count(peer.media?.packets_forwarded);
    fill("pairs", peer.pairs, (pair) => ({
      cells: [end(pair.local), end(pair.remote), pairState(pair), format.ms(pair.rtt_ms)],
      className: pair.selected ? "selected" : "",
    }));
    const sided = (side, list) => list.map((candidate) => ({ side, ...candidate }));
    const candidates = [...sided("Ginnel", peer.local_candidates), ...sided("Browser", peer.remote_candidates)];
    fill("candidates", candidates, (candidate) => ({
      cells: [candidate.side, candidate.type, code(format.address(candidate)), candidate.transport],
    }));
  }
}

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

const code = (text) => element("span", text, "address");
// One end of a pair: where it is, and what kind of candidate.
function end({ type, address }) {
  const both = document.createDocumentFragment();
  both.append(code(address), element("small", type, "type"));
  return both;
}

const pairState = (pair) => (pair.selected ? "selected" : pair.nominated ? `${pair.state}, nominated` : pair.state);

function fill(id, rows, toRow) {
  const body = byId(id);
  const made = rows.map((row) => {
    const { cells, className = "" } = toRow(row);
    const line = element("tr", "", className);
    for (const content of cells) {
      const cell = document.createElement("td");
      cell.append(content);
      line.append(cell);
    }
    return line;
  });
  if (!made.length) {
    const cell = element("td", "None yet.", "empty");
    cell.colSpan = 4;
    made.push(document.createElement("tr"));
    made[0].append(cell);
  }
  body.replaceChildren(...made);
}

const CAMERA_REASONS = {
  NotAllowedError: "Camera and microphone were not allowed, so only messages are echoed. Allow them beside the address, then connect again.",
  NotFoundError: "There is neither camera nor microphone here, so only messages are echoed.",
  NotReadableError: "Another program holds the camera or the microphone, so only messages are echoed. Close it, then connect again.",
  SecurityError: "The browser gives camera and microphone only to secure pages (https, or localhost), so only messages are echoed.",
};

function main() {
  const theme = query.get("theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;

  const view = new View();
  const withMedia = query.get("media") !== "0";
  let config = {};
  let session = null;
  let nothingToEcho = false;
  const enter = (state, tone, text) => {
    window.ginnel.state = state;
    view.status(tone, text);
  };

  // Asked beforehand and never waited for: without an answer there is no STUN server, and host candidates do.
  const asked = fetch("/config")
    .then((response) => response.json())
    .then((answer) => {
      config = answer;
      byId("version").textContent = answer.version ?? "";
    })
    .catch(() => {});

  function connect() {
    view.notice(null);
    view.phases("phases-page", []);
    view.phases("phases-server", []);
    window.ginnel.timings = {};
    window.ginnel.stats = null;
    nothingToEcho = !withMedia;
    session = new Session(config, {
      camera: (stream) => view.video("local", stream, "live"),
      noCamera(name) {
        nothingToEcho = true;
        view.note("local", "none");
        view.note("echo", "nothing to echo");
        view.notice(CAMERA_REASONS[name] ?? "The camera could not be opened, so only messages are echoed.", "busy");
      },
      echo(stream) {
        const video = view.video("echo", stream, nothingToEcho ? "nothing to echo" : "waiting");
        view.listen.hidden = nothingToEcho;
        video.addEventListener("playing", () => view.note("echo", "live"), { once: true });
        return video;
      },
      timings(timings) {
        window.ginnel.timings = { ...timings };
        const { ice_ms, dtls_ms, open_ms } = timings;
        view.phases("phases-page", [ice_ms, between(ice_ms, dtls_ms), between(dtls_ms, open_ms), open_ms]);
      },
      open() {
        enter("connected", "good", `Connected in ${format.ms(session.timings.open_ms)}.`);
        view.live(true, true);
        view.line.focus({ preventScroll: true });
      },
      path(works) {
        if (window.ginnel.state === "connected") {
          view.status(works ? "good" : "busy", works ? "Connected." : "The path is silent. Waiting for it to come back.");
        } else if (works) {
          view.status("busy", "A path is found. Agreeing on keys.");
        }
      },
      message: (data) => view.received(data),
      stats(peer) {
        window.ginnel.stats = peer;
        view.stats(peer);
      },
      failed(reason) {
        ended();
        enter("failed", "bad", "Not connected.");
        view.notice(reason);
      },
    });
    enter("connecting", "busy", "Offer sent. Looking for a path.");
    view.live(true, false);
    if (!withMedia) {
      view.note("local", "off");
      view.note("echo", "off");
    }
    session.start(withMedia);
  }

  function ended() {
    session = null;
    view.live(false, false);
    view.hear(false);
    view.listen.hidden = true;
    view.forgetEchoes();
    view.video("local", null, "stopped");
    view.video("echo", null, "stopped");
  }

  function disconnect() {
    session.stop();
    ended();
    enter("closed", "idle", "Disconnected.");
  }

  view.button.addEventListener("click", () => (session ? disconnect() : connect()));
  view.form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = view.line.value.trim();
    if (!text || window.ginnel.state !== "connected") return;
    view.sent(text);
    session.send(text);
    view.line.value = "";
  });
  view.listen.addEventListener("click", () => view.hear(view.listen.getAttribute("aria-pressed") !== "true"));
  // A page that the browser keeps and shows again must not claim to be connected.
  window.addEventListener("pagehide", () => session && disconnect());
  if (query.get("auto") === "1") asked.then(() => session ?? connect());
}

main();
