// From the value to the page: a pack is fetched, drawn, replaced and cleared; an older one never follows a newer one.

const FRAMES_KEPT = 240;
const NEEDS_RUN = ['keep', 'link', 'npz', 'safetensors'];

rows.current = makeRow('current');
rows.kept = makeRow('kept');

let frames = []; // milliseconds that each of the last frames took in which the place moved
let loading = null; // the AbortController of the pack that is on its way
let lastVariant = null;

function drawFrame() {
  frameAsked = 0;
  if (!element.isConnected) return;
  const parts = new Set(wanted);
  wanted.clear();
  if (!rowsShown().length) return;
  const started = performance.now();
  if (parts.has('maps')) {
    drawToolbar();
    rowsShown().forEach(drawMaps);
  }
  if (parts.has('maps') || parts.has('selection')) drawSelection();
  root.classList.toggle('pinned', state.pinned);
  const hasMoved = rowsShown().map(drawPlace).some(Boolean);
  if (current()) drawChannels(parts, hasMoved);
  if (parts.has('announcement')) announce();
  if (parts.has('link')) writeLinkSoon();
  if (hasMoved && !parts.has('maps')) frames = [...frames, performance.now() - started].slice(-FRAMES_KEPT);
}

const drawChannels = (parts, hasMoved) => {
  if (parts.has('channels')) {
    drawChannelsHead();
    drawStrip();
  } else if (parts.has('channel')) drawChosen();
  if (parts.has('channels') || parts.has('channel')) drawDetail();
  else if (hasMoved) drawDetailPlace();
};

const drawNow = () => {
  cancelAnimationFrame(frameAsked);
  drawFrame();
};

const setState = (name) => {
  root.dataset.state = name;
  root.setAttribute('aria-busy', String(name === 'loading'));
  const isShown = rowsShown().length > 0;
  find('.help').hidden = name !== 'empty';
  find('.trouble').hidden = name !== 'error';
  find('.toolbar').hidden = !isShown;
  find('.channels').hidden = !current();
  for (const action of NEEDS_RUN) find(`[data-do="${action}"]`).disabled = name !== 'ready';
};

const load = async () => {
  loading?.abort();
  const asked = performance.now();
  const value = props.value?.pack ? JSON.parse(JSON.stringify(props.value)) : null; // not Gradio's observed one
  if (!value) {
    loading = null;
    clear();
    return;
  }
  const own = new AbortController();
  loading = own;
  setState('loading');
  try {
    const buffer = await fetchPack(value.pack.url, own.signal);
    if (loading === own) accept(buildRun(buffer, value), asked);
  } catch (error) {
    if (loading === own) fail(error);
  }
};

const fetchPack = async (url, signal) => {
  const response = await fetch(url, { signal }).catch(() => {
    throw new Error('the server cannot be reached');
  });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return response.arrayBuffer();
};

const accept = (run, asked) => {
  const { variant, classes } = run.value;
  if (lastVariant !== null && lastVariant !== variant) state.channels = [];
  lastVariant = variant;
  state.stage = Math.min(state.stage, run.stages.length - 1);
  if (!classes.some(({ index }) => index === state.classIndex)) state.classIndex = null;
  frames = [];
  say('');
  showRun(rows.current, run);
  buildChoices(run);
  setState('ready'); // before the drawing, which measures what is on the page
  ask('maps', 'link');
  drawNow();
  ask('channels'); // in the next frame: the maps are what is waited for
  root.explorer = describe(run, performance.now() - asked);
};

const clear = () => {
  const wasShown = current() !== null;
  forget();
  if (wasShown && !rows.kept.run) Object.assign(state, { place: null, pinned: false }); // beside a kept run it goes on
  state.probe = null;
  setState('empty');
  if (wasShown) writeLinkSoon();
  ask('maps');
};

const fail = (error) => {
  forget();
  find('.sentence').textContent =
    `The activations of this run could not be fetched: ${error.message}. The server keeps them for an hour; ` +
    'try again, or choose the picture anew.';
  setState('error');
};

/** Nothing of the current run stays: not on the page, and not in memory. */
const forget = () => {
  showRun(rows.current, null);
  clearStrip();
  clearDetail();
  state.pointed = { row: null, i: null };
  delete root.explorer;
  say('');
};

const keepRun = () => {
  const run = current();
  run.channels = run.stages.map((_, i) => channelOf(run, i));
  showRun(rows.kept, run);
  ask('maps', 'channels');
  say('Kept. Choose another picture or another variant: both are shown with one pointer.');
};

const releaseRun = () => {
  showRun(rows.kept, null);
  if (state.pointed.row === rows.kept) state.pointed = { row: null, i: null };
  setState(root.dataset.state);
  ask('maps', 'channels');
  say('');
};

/** What tests and the curious can read: the numbers of the current run, and what the page shows of it. */
const describe = (run, painted_ms) =>
  Object.freeze({
    stages: run.stages,
    contributions: run.contributions,
    bytes: run.bytes,
    painted_ms, // from the value's arrival until its maps are drawn
    values: (i, channel) => channelValues(run.stages[i], channel),
    map: (i) => rows.current.figures[i].map.values,
    range: (i) => rows.current.figures[i].map.range ?? null,
    channel: (i) => channelOf(run, i),
    similarity: (i, row, col) => {
      const stage = run.stages[i];
      const from = (row * stage.width + col) * stage.channels;
      return cosinesTo(unitCells(stage), from, stage, new Float32Array(stage.cells));
    },
    pca: (i) => pcaOf(run.stages[i]),
    get state() {
      const { range, clip, place, pinned } = state;
      return { ...linkEntries(), channel: channelOf(run, state.stage), sort: sortOf(run), range, clip, place, pinned };
    },
    get frames() {
      return [...frames];
    },
  });

readLink(window.location.search);
watch('value', load);
load();
