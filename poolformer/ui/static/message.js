const box = element.querySelector('.message');
const again = element.querySelector('.again');

const draw = () => {
  const value = props.value || {};
  box.dataset.kind = value.kind || 'info';
  box.querySelector('.text').textContent = value.text || '';
  box.querySelector('.note').textContent = value.note || '';
  again.hidden = !value.again;
};

again.addEventListener('click', () => trigger('again', {}));

watch('value', draw);
draw();
