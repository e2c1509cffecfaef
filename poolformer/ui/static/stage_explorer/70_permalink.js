// The address: what is shown can be read from it and is restored by it. It never holds anything of a picture that is
// not one of the examples.

const LINK_DELAY_MS = 250;
const PARAMETERS = ['variant', 'example', 'view', 'of', 'stage', 'channel', 'sort', 'class', 'range', 'clip', 'cell'];
const SORTS = ['energy', 'variance', 'index', 'contribution'];
const SCOPES = ['channel', 'all'];
const RANGES = ['channel', 'stage', 'all'];

/** The state that an address asks for; what it asks wrongly is left as it is. */
const readLink = (search) => {
  const asked = new URLSearchParams(search);
  const number = (name, low, high) => {
    const text = asked.get(name);
    const value = Number(text);
    return text && value >= low && value <= high ? value : undefined;
  };
  const whole = (name, low, high) => {
    const value = number(name, low, high);
    return Number.isInteger(value) ? value : undefined;
  };
  const oneOf = (name, all) => (all.includes(asked.get(name)) ? asked.get(name) : undefined);
  const stage = whole('stage', 1, 100) - 1;
  const found = {
    view: oneOf('view', Object.keys(VIEWS)),
    of: oneOf('of', SCOPES),
    sort: oneOf('sort', SORTS),
    range: oneOf('range', RANGES),
    clip: number('clip', 90, 100),
    classIndex: whole('class', 0, 1e6),
    stage: Number.isNaN(stage) ? undefined : stage,
  };
  for (const [name, value] of Object.entries(found)) if (value !== undefined) state[name] = value;
  const channel = whole('channel', 0, 1e6);
  if (channel !== undefined) state.channels[state.stage] = channel;
  const [x, y, ...more] = (asked.get('cell') || '').split(',').map((part) => (part ? Number(part) : NaN));
  if (x >= 0 && x <= 1 && y >= 0 && y <= 1 && !more.length) {
    state.place = { x, y };
    state.pinned = true;
  }
};

/** What the address should say of the current run; nothing of one that is not there. */
const linkEntries = () => {
  const run = current();
  if (!run) return {};
  const { variant, example } = run.value;
  const isChannelChosen = state.channels[state.stage] !== undefined || showsOneChannel();
  return {
    variant,
    example,
    view: state.view,
    of: state.of === DEFAULTS.of ? null : state.of,
    stage: state.stage + 1,
    channel: isChannelChosen ? channelOf(run, state.stage) : null,
    sort: state.sort === DEFAULTS.sort ? null : state.sort,
    class: state.classIndex,
    range: state.range === DEFAULTS.range ? null : state.range,
    clip: state.clip === DEFAULTS.clip ? null : state.clip,
    cell: state.pinned ? [state.place.x, state.place.y].map((share) => clamp(share, 0, 1).toFixed(3)).join() : null,
  };
};

let linkTimer = 0;

const writeLink = () => {
  clearTimeout(linkTimer);
  if (!element.isConnected) return;
  const url = new URL(window.location.href);
  // Gradio keeps its own panels under "view"; while one is open, that is what the address is about.
  const isGradios = ['api', 'settings'].includes(url.searchParams.get('view'));
  const entries = linkEntries();
  for (const name of PARAMETERS) {
    if (name === 'view' && isGradios) continue;
    const value = entries[name] ?? null;
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  url.search = url.search.replaceAll('%2C', ',');
  if (url.href !== window.location.href) history.replaceState(history.state, '', url);
};

const writeLinkSoon = () => {
  clearTimeout(linkTimer);
  linkTimer = setTimeout(writeLink, LINK_DELAY_MS);
};

/** The address goes to the clipboard; where the browser allows no such thing, into a field to copy it from. */
const copyLink = async () => {
  writeLink();
  const without = current()?.value.example ? '' : ' It does not hold your own picture: whoever opens it chooses one.';
  try {
    await navigator.clipboard.writeText(window.location.href);
    say(`Link copied.${without}`);
  } catch {
    const field = find('.address');
    field.hidden = false;
    field.value = window.location.href;
    field.select();
    say(`Copy the link from the field.${without}`);
  }
};
