/** A web-standard handler in TypeScript: `baton deploy examples/hello.ts`. */
interface Context {
  readonly sandbox: string;
  readonly callId: string;
}

export default {
  async fetch(request: Request, env: Record<string, string>, context: Context): Promise<Response> {
    const name = new URL(request.url).searchParams.get('name') ?? 'world';
    const said = request.method === 'POST' ? await request.text() : '';
    return Response.json({
      message: `${env['GREETING'] ?? 'hello'}, ${name}`,
      ...(said === '' ? {} : { said }),
      sandbox: context.sandbox,
    });
  },
};
