/** The OpenAPI document of the HTTP API, made from the routes themselves. */
import { routes, type Route } from './http-routes.ts';
import { functionDocumentSchema } from './spec.ts';

const ERROR = {
  description: 'an error that names the field and the fix',
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
};

function bodyOf(route: Route): object {
  if (route.body === 'none') return {};
  const schema =
    route.body === 'function'
      ? { $ref: '#/components/schemas/Function' }
      : {
          type: 'object',
          properties: { to: { type: 'string', description: 'a replica; empty: the successor' } },
        };
  return {
    requestBody: { required: route.body === 'function', content: { 'application/json': { schema } } },
  };
}

function operation(route: Route): object {
  const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const inQuery = route.query.map(({ name, description }) => ({
    name,
    in: 'query',
    required: false,
    description,
    schema: { type: 'string' },
  }));
  return {
    operationId: route.calls === 'setCordon' ? (route.path.split('/').at(-1) ?? '') : route.calls,
    summary: route.summary,
    parameters: [...inPath, ...inQuery],
    ...bodyOf(route),
    responses: {
      200: { description: 'done', content: { 'application/json': { schema: { type: 'object' } } } },
      default: ERROR,
    },
  };
}

export function openApiDocument(version: string, needsToken: boolean): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  paths['/v1/artifacts'] = {
    post: {
      operationId: 'uploadArtifact',
      summary: 'Stores a gzip tar; answered when a majority of replicas holds it durably',
      requestBody: {
        required: true,
        content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
      },
      responses: {
        200: { description: 'stored', content: { 'application/json': { schema: { type: 'object' } } } },
        default: ERROR,
      },
    },
  };
  return {
    openapi: '3.1.0',
    info: { title: 'baton', version, description: 'The control plane of a baton cluster.' },
    paths,
    components: {
      schemas: {
        Function: functionDocumentSchema(),
        Error: {
          type: 'object',
          required: ['component', 'reason', 'message'],
          properties: {
            component: { type: 'string' },
            reason: { type: 'string' },
            message: { type: 'string' },
            hint: { type: 'string' },
            fields: { type: 'object' },
          },
        },
      },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
    security: needsToken ? [{ token: [] }] : [],
  };
}
