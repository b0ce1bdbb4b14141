// How every driver fails. Foreign errors are mapped to one of the two at the driver's border, so that nobody above
// has to know HTTP codes or errno names.

export interface FailureDetails {
  /** Driver and call, such as `amphora.rest update`. */
  readonly call: string;
  /** What the other side called the request, when it did. */
  readonly requestId?: string | undefined;
  readonly cause?: unknown;
}

abstract class DriverFailure extends Error {
  readonly call: string;
  readonly requestId: string | undefined;
  constructor(message: string, details: FailureDetails) {
    super(message, { cause: details.cause });
    this.name = new.target.name;
    this.call = details.call;
    this.requestId = details.requestId;
  }
}

/** May succeed when tried again: not reachable, timed out, busy, answered 5xx. The driver has retried once already. */
export class TransientFailure extends DriverFailure {}

/** Will not succeed by trying again: refused, invalid, forbidden, over quota. */
export class PermanentFailure extends DriverFailure {}
