// Work of which only the newest wish counts.

/**
 * Do what is wished for now; of the wishes that come meanwhile, only the newest is done.
 * @template T
 * @param {() => Promise<T>} work what is wished for at that time
 * @param {(made: T) => void} onMade
 * @param {(error: Error) => void} onError
 */
export function newestOnly(work, onMade, onError) {
  let busy = false, stale = false, ended = false;
  const run = async () => {
    stale = true;
    if (busy) return;
    busy = true;
    while (stale && !ended) {
      stale = false;
      try {
        const made = await work();
        if (!ended) onMade(made);
      } catch (error) {
        if (!ended) onError(/** @type {Error} */ (error));
      }
    }
    busy = false;
  };
  return { run, end: () => { ended = true; } };
}
