const group = element.querySelector('[role="radiogroup"]');
const note = element.querySelector('.note');
const columns = ['name', 'depths', 'widths', 'parameters', 'macs', 'top1', 'status'];

const describe = (row) =>
  `${row.name}: depths ${row.depths}; hidden sizes ${row.widths}; ${row.parameters} parameters; ` +
  `${row.macs} MACs; ${row.top1 ? `top-1 ${row.top1} on ${row.dataset}; ` : ''}${row.status}`;

const build = (row, selected) => {
  const option = document.createElement('div');
  option.className = 'row';
  option.dataset.name = row.name;
  option.dataset.state = row.state;
  option.tabIndex = selected ? 0 : -1;
  option.setAttribute('role', 'radio');
  option.setAttribute('aria-checked', String(selected));
  option.setAttribute('aria-label', describe(row));
  for (const column of columns) {
    const cell = document.createElement('span');
    cell.className = column;
    cell.textContent = row[column];
    option.append(cell);
  }
  return option;
};

const draw = () => {
  const value = props.value;
  if (!value || !value.rows) return;
  const focused = group.contains(document.activeElement) ? document.activeElement.dataset.name : null;
  group.replaceChildren(...value.rows.map((row) => build(row, row.name === value.selected)));
  if (focused) options().find((option) => option.dataset.name === focused)?.focus();
  const own = value.rows.filter((row) => row.top1 && row.dataset !== 'ImageNet-1k');
  note.textContent =
    'top-1 on ImageNet-1k' + own.map((row) => `; of ${row.name} on ${row.dataset}, another data set`).join('');
};

const options = () => [...group.querySelectorAll('[role="radio"]')];

const focus = (option) => {
  for (const other of options()) other.tabIndex = other === option ? 0 : -1;
  option.focus();
};

const pick = (option) => {
  if (option.getAttribute('aria-checked') === 'true') return;
  option.dataset.pending = 'true';
  trigger('pick', { name: option.dataset.name });
};

group.addEventListener('click', (event) => {
  const option = event.target.closest('[role="radio"]');
  if (option) {
    focus(option);
    pick(option);
  }
});

group.addEventListener('keydown', (event) => {
  const all = options();
  const at = all.indexOf(event.target.closest('[role="radio"]'));
  if (at < 0) return;
  const last = all.length - 1;
  const next = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: last }[event.key];
  if (next !== undefined) focus(all[(next + all.length) % all.length]);
  else if (event.key === 'Enter' || event.key === ' ') pick(all[at]);
  else return;
  event.preventDefault();
});

watch('value', draw);
draw();
