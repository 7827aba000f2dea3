/** Passes calls on to another replica; channels are kept. */
import { GrpcChannel } from './grpc-channel.ts';
import type { Forward } from './service.ts';

export class Forwarder {
  readonly #token: string;
  /** By address; at most one per member. */
  readonly #channels = new Map<string, GrpcChannel>();

  constructor(replicaToken: string) {
    this.#token = replicaToken;
  }

  readonly forward: Forward = (member, method, request, timeoutMs) => {
    let channel = this.#channels.get(member.grpc);
    if (channel === undefined) {
      channel = new GrpcChannel(member.grpc, this.#token, true);
      this.#channels.set(member.grpc, channel);
    }
    return channel.call(method, request as never, timeoutMs);
  };

  close(): void {
    for (const channel of this.#channels.values()) channel.close();
  }
}
