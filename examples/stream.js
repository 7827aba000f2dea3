/** Streams lines as they are made: `baton deploy examples/stream.js`, then `curl -N …/function/stream?lines=5`. */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export default function stream(request) {
  const url = new URL(request.url);
  const lines = Math.min(Number(url.searchParams.get('lines') ?? 5), 1_000);
  const everyMs = Math.min(Number(url.searchParams.get('every') ?? 50), 10_000);
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    async start(controller) {
      for (let line = 1; line <= lines && !request.signal.aborted; line++) {
        controller.enqueue(encoder.encode(`line ${line} of ${lines}\n`));
        if (line < lines) await pause(everyMs);
      }
      controller.close();
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
}
