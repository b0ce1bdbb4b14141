// The shapes in which the agent answers. Errors have two: the agent's own with `message` and `details`, and one for
// requests that no handler takes, which OpenStack's agent leaves to its web framework.
import { createHash } from 'node:crypto';

export interface Reply {
  readonly status: number;
  readonly body: string | Buffer;
  readonly contentType: string;
  readonly etag?: string;
}

export function json(status: number, value: unknown, etag?: string): Reply {
  return {
    status,
    body: JSON.stringify(value),
    contentType: 'application/json',
    ...(etag === undefined ? {} : { etag }),
  };
}

/** A text with its MD5 as ETag, unquoted as the protocol has it. */
export function text(content: Buffer): Reply {
  return { status: 200, body: content, contentType: 'text/plain', etag: md5(content) };
}

export function ok(status: 200 | 202, details?: string): Reply {
  return json(status, { message: 'OK', ...(details === undefined ? {} : { details }) });
}

/** An error in the agent's own shape. */
export function refusal(status: number, message: string, details?: string): Reply {
  return json(status, { message, ...(details === undefined ? {} : { details }) });
}

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Request Entity Too Large',
  500: 'Internal Server Error',
};

/** An error in the web framework's shape. */
export function frameworkError(status: number, detail: string): Reply {
  return json(status, { error: `${status} ${reasons[status] ?? 'Error'}: ${detail}`, http_code: status });
}

export function md5(content: Buffer): string {
  return createHash('md5').update(content).digest('hex');
}
