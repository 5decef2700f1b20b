// The live stream. The browser reconnects by itself and tells the server where
// it was (Last-Event-ID), so nothing is shown twice and little is missed.

export function connect(query, { onEvent, onState }) {
  let source;
  let retry;
  const open = () => {
    onState('connecting');
    source = new EventSource(`/api/v1/stream${query}`);
    source.onopen = () => onState('live');
    source.onerror = () => {
      onState('lost');
      // A refusal (the board is full, or restarting) ends an EventSource for good.
      if (source.readyState === EventSource.CLOSED) {
        clearTimeout(retry);
        retry = setTimeout(open, 5000);
      }
    };
    for (const name of ['mention', 'summary', 'gap']) {
      source.addEventListener(name, (event) => onEvent(name, JSON.parse(event.data)));
    }
  };
  open();
  addEventListener('pagehide', () => { clearTimeout(retry); source.close(); });
  addEventListener('pageshow', (event) => { if (event.persisted) open(); });
}
