// The strip: all channels of the chosen stage as thumbnails, one canvas under a listbox.

const strip = find('.strip');
const sheet = find('.sheet');
const atlas = find('.atlas');
const THUMBNAIL_PX = { least: 44, most: 180 }; // in between, as large as lets all of them fit into the strip
const OPTION_ID = `channel-option-${Math.random().toString(36).slice(2)}`;

let order = []; // channels in the order of the strip
let columns = 1;

const isLastStage = (run, i) => i === run.stages.length - 1;

/** The place of the chosen class among those that are shown; the first if none is chosen. */
const classRank = (run) => Math.max(run.value.classes.findIndex(({ index }) => index === state.classIndex), 0);

/** What the last stage's channels add to the chosen class's logit, Float32Array (C). */
const contributionsOf = (run) => {
  const { channels } = run.stages.at(-1);
  const from = classRank(run) * channels;
  return run.contributions.subarray(from, from + channels);
};

const canSortByContribution = (run) => isLastStage(run, state.stage) && run.value.classes.length > 0;
const sortOf = (run) => (state.sort === 'contribution' && !canSortByContribution(run) ? 'energy' : state.sort);

/** Channels by energy, variance or contribution, largest first and ties by index; or by index. */
const sortedChannels = (run) => {
  const stage = run.stages[state.stage];
  const sort = sortOf(run);
  const indices = Array.from({ length: stage.channels }, (_, c) => c);
  if (sort === 'index') return indices;
  const keys = sort === 'contribution' ? contributionsOf(run) : channelStatistics(stage)[sort];
  return indices.sort((a, b) => keys[b] - keys[a] || a - b);
};

const drawStrip = () => {
  const run = current();
  const stage = run.stages[state.stage];
  order = sortedChannels(run);
  columns = columnsFor(order.length);
  drawAtlas(run, stage);
  layOptions();
  strip.setAttribute('aria-label', `Channels of stage ${state.stage + 1}, by ${sortOf(run)}`);
  drawChosen();
};

const columnsFor = (count) => {
  const width = strip.clientWidth || 320;
  const tall = parseFloat(getComputedStyle(strip).maxHeight);
  const most = Math.floor(width / THUMBNAIL_PX.least);
  let fewest = Math.ceil(width / THUMBNAIL_PX.most);
  while (fewest < most && Math.ceil(count / fewest) * (width / fewest) > tall) fewest++;
  return fewest;
};

/** All thumbnails at the stage's own resolution; CSS enlarges or shrinks them together. */
const drawAtlas = (run, stage) => {
  const { height, width } = stage;
  const lines = Math.ceil(order.length / columns);
  atlas.width = columns * width;
  atlas.height = lines * height;
  sheet.style.aspectRatio = `${atlas.width} / ${atlas.height}`;
  atlas.classList.toggle('fine', width > strip.clientWidth / columns / 2);
  strip.classList.toggle('roomy', strip.clientWidth / columns > 70);
  const context = atlas.getContext('2d');
  const tile = context.createImageData(width, height);
  const pixels = new Uint32Array(tile.data.buffer);
  order.forEach((channel, k) => {
    paintValues(channelValues(stage, channel), DIVERGING, ...channelRange(run, state.stage, channel), pixels);
    context.putImageData(tile, (k % columns) * width, Math.floor(k / columns) * height);
  });
};

const options = () => sheet.getElementsByClassName('option');

/** One option over each thumbnail; those that are there are used again. */
const layOptions = () => {
  const lines = Math.ceil(order.length / columns);
  while (options().length > order.length) options()[order.length].remove();
  while (options().length < order.length) {
    const option = make('div', 'option');
    option.setAttribute('role', 'option');
    option.id = `${OPTION_ID}-${options().length}`;
    sheet.append(option);
  }
  [...options()].forEach((option, k) => {
    option.setAttribute('aria-label', `channel ${order[k]}`);
    option.dataset.channel = order[k];
    place(option, {
      left: (k % columns) / columns,
      top: Math.floor(k / columns) / lines,
      width: 1 / columns,
      height: 1 / lines,
    });
  });
};

/** The chosen channel's thumbnail: selected, and scrolled to. */
const drawChosen = () => {
  const run = current();
  const at = order.indexOf(channelOf(run, state.stage));
  for (const option of sheet.querySelectorAll('[aria-selected="true"]')) option.setAttribute('aria-selected', 'false');
  const option = options()[at];
  option.setAttribute('aria-selected', 'true');
  strip.setAttribute('aria-activedescendant', option.id);
  const { offsetTop: top, offsetHeight: tall } = option;
  const isChosen = state.channels[state.stage] !== undefined;
  strip.scrollTop = isChosen ? clamp(strip.scrollTop, top + tall - strip.clientHeight, top) : 0;
  hover(null);
};

/** What the channel under the pointer is, else the chosen one. */
const hover = (option) => {
  const run = current();
  const channel = option ? order[[...options()].indexOf(option)] : channelOf(run, state.stage);
  const { energy, variance } = channelStatistics(run.stages[state.stage]);
  const added = canSortByContribution(run) ? `, adds ${signed(contributionsOf(run)[channel])} to the logit` : '';
  const numbers = `mean |x| ${format(energy[channel])}, variance ${format(variance[channel])}`;
  find('.hovered').textContent = `Channel ${channel}: ${numbers}${added}`;
};

const signed = (value) => (value > 0 ? `+${format(value)}` : format(value));

const chooseChannel = (channel) => {
  state.channels[state.stage] = channel;
  ask('maps', 'channel', 'link');
};

const chooseStage = (i) => {
  if (state.stage === i) return;
  state.stage = i;
  ask('selection', 'channels', 'place', 'link');
};

const clearStrip = () => {
  order = [];
  atlas.width = atlas.height = 0;
  sheet.style.aspectRatio = '';
  while (options().length) options()[0].remove();
  strip.removeAttribute('aria-activedescendant');
  find('.hovered').textContent = '';
};

strip.addEventListener('click', (event) => {
  const option = event.target.closest('.option');
  if (!option) return;
  chooseChannel(order[[...options()].indexOf(option)]);
  chooseView('channel');
});

strip.addEventListener('pointermove', (event) => hover(event.target.closest('.option')));
strip.addEventListener('pointerleave', () => order.length && hover(null));

strip.addEventListener('keydown', (event) => {
  const at = order.indexOf(channelOf(current(), state.stage));
  const next = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - columns,
    ArrowDown: at + columns,
    Home: 0,
    End: order.length - 1,
  }[event.key];
  if (event.key === 'Enter' || event.key === ' ') chooseView('channel');
  else if (next === undefined) return;
  else if (order[next] !== undefined) chooseChannel(order[next]);
  event.preventDefault();
});

new ResizeObserver(() => {
  if (order.length && strip.clientWidth && columnsFor(order.length) !== columns) ask('channels');
}).observe(strip);
