// The toolbar and the buttons: what each sets, and how each shows what is set.

const chooseView = (view) => {
  if (state.view === view) return;
  state.view = view;
  state.probe = null;
  ask('maps', 'link');
};

/** Of each control by its name: what choosing a value does. */
const CHOICES = {
  view: chooseView,
  range: (value) => set({ range: value }, 'maps', 'channels'),
  clip: (value) => set({ clip: Number(value) }, 'maps', 'channels'),
  of: (value) => set({ of: value }, 'maps'),
  reference: (value) => set({ reference: value }, 'maps'),
  sort: (value) => set({ sort: value }, 'channels'),
  class: (value) => set({ classIndex: Number(value) }, 'channels'),
  stage: (value) => chooseStage(Number(value)),
};

const set = (changes, ...parts) => {
  Object.assign(state, changes);
  ask(...parts, 'link');
};

const ACTIONS = {
  retry: () => load(),
  keep: () => keepRun(),
  release: () => releaseRun(),
  link: () => copyLink(),
  png: () => savePng(),
  npz: () => exportActivations('npz'),
  safetensors: () => exportActivations('safetensors'),
};

const exportActivations = (format) => {
  trigger('export', { format });
  say(`The float32 activations are written as .${format}; the download follows.`);
};

root.addEventListener('input', ({ target }) => {
  const name = target.name?.replace('explorer-', '');
  if (target.name?.startsWith('explorer-')) CHOICES[name](target.value);
});

root.addEventListener('click', (event) => {
  const stage = event.target.closest('button[data-stage]');
  if (stage) chooseStage(Number(stage.dataset.stage));
  const action = event.target.closest('button[data-do]');
  if (action) ACTIONS[action.dataset.do]();
});

const check = (name, value) => {
  const radio = find(`input[name="explorer-${name}"][value="${value}"]`);
  if (radio) radio.checked = true;
};

const drawToolbar = () => {
  find('.explanation').textContent = VIEWS[state.view].explain();
  for (const name of ['view', 'of', 'reference']) check(name, state[name]);
  check('range', rangeShown());
  find('.setting.of').hidden = state.view !== 'disagreement';
  find('.setting.reference').hidden = !(state.view === 'similarity' && isSameVariant());
  const perChannel = find('input[name="explorer-range"][value="channel"]');
  perChannel.disabled = !showsOneChannel();
  perChannel.parentElement.title = perChannel.disabled ? 'this view has one map a stage, of all channels' : '';
  for (const name of ['range', 'clipping']) find(`.setting.${name}`).classList.toggle('idle', !hasRange());
  find('input[name="explorer-clip"]').value = state.clip;
  find('.clip').textContent = state.clip === 100 ? '100 (none)' : format(state.clip);
};

const isSameVariant = () => {
  const [first, second] = rowsShown().map((row) => row.run.value.variant);
  return first === second;
};

/** Which stage is chosen, in the rows and in the panel of channels. */
const drawSelection = () => {
  for (const figure of rowsShown().flatMap((row) => row.figures)) {
    figure.title.setAttribute('aria-pressed', String(figure.i === state.stage));
    figure.box.classList.toggle('selected', figure.i === state.stage);
  }
  check('stage', state.stage);
};

const drawChannelsHead = () => {
  const run = current();
  const canSort = canSortByContribution(run);
  find('.channels-title').textContent = `All ${run.stages[state.stage].channels} channels of stage ${state.stage + 1}`;
  const contribution = find('input[name="explorer-sort"][value="contribution"]');
  contribution.disabled = !canSort;
  check('sort', sortOf(run));
  find('.setting.class').hidden = !canSort;
  find('.sort-note').textContent = canSort
    ? 'Contribution: what a channel adds to the class’s logit; all of them and the bias are the logit, exactly.'
    : `Contribution is for stage ${run.stages.length} only: the head reads nothing but the mean of its channels.`;
  if (canSort) find('select[name="explorer-class"]').selectedIndex = classRank(run);
};

/** The choices that depend on the run: its stages and its classes. */
const buildChoices = (run) => {
  const stageChoices = run.stages.map((_, i) => {
    const label = make('label');
    const radio = make('input');
    Object.assign(radio, { type: 'radio', name: 'explorer-stage', value: String(i) });
    label.append(radio, make('span', '', String(i + 1)));
    return label;
  });
  find('.stages').replaceChildren(...stageChoices);
  const classes = run.value.classes.map(({ label, index, probability }) => {
    const option = make('option', '', `${label} (${percent(probability)})`);
    option.value = String(index);
    return option;
  });
  find('select[name="explorer-class"]').replaceChildren(...classes);
};
