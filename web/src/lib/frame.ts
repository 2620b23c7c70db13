/** One animation-frame flush for everything that draws outside React: each drawer runs at most once per frame. */
const due = new Set<() => void>();
let requested = false;

/** Run `draw` in the next frame, however often it is asked for before. */
export function nextFrame(draw: () => void): void {
  due.add(draw);
  if (requested) return;
  requested = true;
  requestAnimationFrame(() => {
    requested = false;
    const now = [...due];
    due.clear();
    for (const one of now) one();
  });
}
