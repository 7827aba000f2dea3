/** The digest of an endpoint table: the same entries, in any order and by any history, give the same digest. */
import { addLanes, hashText, subtractLanes, type Lanes } from '../../lib/lanes.ts';
import type { FunctionUid } from '../../lib/ids.ts';
import type { TableDigest } from '../model/broadcast.ts';
import type { Endpoint, FunctionOwner } from '../model/sandbox.ts';

function endpointLanes(endpoint: Endpoint): Lanes {
  const { sandbox, uid, generation, specIndex, worker, address, owner } = endpoint;
  const owned =
    owner === undefined ? '' : `${owner.dataPlane} ${owner.incarnation.ms} ${owner.incarnation.nonce}`;
  return hashText(`${sandbox} ${uid} ${generation} ${specIndex} ${worker} ${address} ${owned}`);
}

function ownerLanes(uid: FunctionUid, owner: FunctionOwner): Lanes {
  return hashText(
    `${uid} ${owner.dataPlane} ${owner.incarnation.ms} ${owner.incarnation.nonce} ${owner.peer}`,
  );
}

export class RunningDigest {
  #lanes: Lanes = [0, 0, 0, 0];

  addEndpoint(endpoint: Endpoint): void {
    this.#lanes = addLanes(this.#lanes, endpointLanes(endpoint));
  }

  removeEndpoint(endpoint: Endpoint): void {
    this.#lanes = subtractLanes(this.#lanes, endpointLanes(endpoint));
  }

  addOwner(uid: FunctionUid, owner: FunctionOwner): void {
    this.#lanes = addLanes(this.#lanes, ownerLanes(uid, owner));
  }

  removeOwner(uid: FunctionUid, owner: FunctionOwner): void {
    this.#lanes = subtractLanes(this.#lanes, ownerLanes(uid, owner));
  }

  value(): TableDigest {
    return { high: this.#lanes[0], low: this.#lanes[1] };
  }
}
