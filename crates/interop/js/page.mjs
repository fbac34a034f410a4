// The demo page as a person uses it: click Connect, see the phases, the chat and the echoed video.

export async function page(tab, options) {
  const query = options.media || options.denied ? '' : '?media=0';
  await tab.setViewport({ width: 1280, height: 900 });
  await tab.goto(`${options.url}/${query}`, { waitUntil: 'load' });
  await tab.click('#connect');
  await tab.waitForFunction(() => window.ginnel.state === 'connected', { timeout: options.deadline * 1000 });
  const seen = { timings: await tab.evaluate(() => window.ginnel.timings) };

  await tab.type('#line', 'hello from the page');
  await tab.keyboard.press('Enter');
  await tab.waitForFunction(
    () => document.querySelector('#log li.back') !== null,
    { timeout: 10_000 },
  );
  seen.chat = await tab.$eval('#log li.back', (line) => line.textContent);

  if (options.media) {
    // Firefox counts no frames of streams, but its clock of a video goes on only while it plays.
    await tab.waitForFunction(
      (seconds) => {
        const echo = document.querySelector('#echo');
        return echo.videoWidth > 0 && echo.currentTime >= seconds;
      },
      { timeout: options.deadline * 1000, polling: 200 },
      options.frames / 30,
    );
  }
  await tab.waitForFunction(() => document.querySelector('#pairs tr.selected') !== null && document.querySelector('#candidates td.empty') === null, { timeout: 10_000 });
  seen.notice = await tab.$eval('#notice', (line) => (line.hidden ? '' : line.textContent));
  seen.status = await tab.$eval('#status', (line) => line.textContent);
  seen.server = await tab.evaluate(async () => (await fetch('/stats')).json());

  for (const { path, theme, width, height } of options.screenshots) {
    await tab.setViewport({ width, height });
    await tab.evaluate((name) => { document.documentElement.dataset.theme = name; }, theme);
    await tab.screenshot({ path, fullPage: true });
  }
  // What the page offered, by the server's own account of the agreement.
  seen.sections = seen.server.peers[0].sections;
  const stats = async () => (await fetch(`${options.url}/stats`)).json();
  if (options.leave) {
    // Whatever the browser says or does not say by itself, the page says that it goes.
    await tab.close({ runBeforeUnload: false });
  } else {
    await tab.click('#connect');
    await tab.waitForFunction(() => window.ginnel.state === 'closed', { timeout: 10_000 });
  }
  const gone = performance.now();
  while ((await stats()).peers[0]?.connection === 'connected' && performance.now() - gone < 5_000) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  seen.after = await stats();
  return seen;
}
