// Without this script the two pictures stand side by side; with it, one lies over the other, with a divider.
(() => {
  document.documentElement.classList.add('js');

  for (const box of document.querySelectorAll('.compare')) {
    const range = document.createElement('input');
    Object.assign(range, { type: 'range', min: 0, max: 100 });
    range.setAttribute('aria-label', 'Divider between content and result');
    const handle = document.createElement('span');
    handle.className = 'handle';
    box.append(range, handle);

    const show = percent => {
      const x = Math.min(100, Math.max(0, percent));
      range.value = x;
      range.setAttribute('aria-valuetext', `${Math.round(x)} % content, ${Math.round(100 - x)} % result`);
      box.style.setProperty('--x', `${x}%`);
    };
    const follow = event => {
      const frame = box.getBoundingClientRect();
      show((100 * (event.clientX - frame.left)) / frame.width);
    };
    // Keys move the range itself; pointers move the divider from anywhere on the picture.
    range.addEventListener('input', () => show(Number(range.value)));
    let before = 50;
    box.addEventListener('pointerdown', event => {
      if (event.button !== 0) return;
      event.preventDefault();
      box.setPointerCapture(event.pointerId);
      range.focus({ preventScroll: true });
      before = Number(range.value);
      follow(event);
    });
    box.addEventListener('pointermove', event => {
      if (box.hasPointerCapture(event.pointerId)) follow(event);
    });
    // The finger turns out to scroll the page.
    box.addEventListener('pointercancel', () => show(before));
    box.addEventListener('dragstart', event => event.preventDefault());
    show(50);
  }

  for (const code of document.querySelectorAll('.command code')) {
    if (!navigator.clipboard) continue;
    const button = document.createElement('button');
    button.textContent = 'Copy';
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = 'Copied';
    });
    code.parentElement.after(button);
  }
})();
