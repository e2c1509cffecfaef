const box = element.querySelector('.message');

const draw = () => {
  const value = props.value || {};
  box.dataset.kind = value.kind || 'info';
  box.querySelector('.text').textContent = value.text || '';
  box.querySelector('.note').textContent = value.note || '';
};

watch('value', draw);
draw();
