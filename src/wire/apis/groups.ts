import type { GroupMemberIdentity } from '../../connection/requests/groups.js'
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from '../consumer-protocol.js'
import type { Reader } from '../reader.js'
import { malformed } from '../wire-error.js'
import type { Writer } from '../writer.js'
import type { ApiCodec } from './codec.js'

const PROTOCOL_TYPE = 'consumer'
/** From this version on one request may ask for several coordinators; Kafka 3.0. */
const SEVERAL_KEYS_FROM = 4

export const findCoordinator: ApiCodec<'findCoordinator'> = {
  key: 10,
  min: 1,
  max: 4,
  flexibleFrom: 3,
  encode({ key, keyType }, version, writer) {
    if (version < SEVERAL_KEYS_FROM) writer.string(key)
    writer.int8(keyType === 'group' ? 0 : 1)
    if (version >= SEVERAL_KEYS_FROM) writer.array([key], (each) => writer.string(each))
    writer.tags()
  },
  decode(reader, version) {
    const throttleTimeMs = reader.int32()
    if (version >= SEVERAL_KEYS_FROM) {
      const [found] = reader.array(() => readCoordinatorOfKey(reader))
      reader.tags()
      if (found === undefined) throw malformed('the answer does not have the coordinator that was asked for')
      return { throttleTimeMs, ...found }
    }
    const errorCode = reader.int16()
    reader.nullableString() // error_message
    const found = { throttleTimeMs, errorCode, ...readAddress(reader) }
    reader.tags()
    return found
  },
}

function readAddress(reader: Reader) {
  return { nodeId: reader.int32(), host: reader.string(), port: reader.int32() }
}

function readCoordinatorOfKey(reader: Reader) {
  reader.string() // key: one was asked for
  const found = { ...readAddress(reader), errorCode: reader.int16() }
  reader.nullableString() // error_message
  reader.tags()
  return found
}

export const joinGroup: ApiCodec<'joinGroup'> = {
  key: 11,
  min: 5,
  max: 5,
  flexibleFrom: 6,
  encode({ groupId, sessionTimeoutMs, rebalanceTimeoutMs, memberId, groupInstanceId, protocols }, _version, writer) {
    writer.string(groupId)
    writer.int32(sessionTimeoutMs)
    writer.int32(rebalanceTimeoutMs)
    writer.string(memberId)
    writer.nullableString(groupInstanceId)
    writer.string(PROTOCOL_TYPE)
    writer.array(protocols, ({ name, subscription }) => {
      writer.string(name)
      writer.bytes(encodeSubscription(subscription))
    })
  },
  decode(reader) {
    return {
      throttleTimeMs: reader.int32(),
      errorCode: reader.int16(),
      generationId: reader.int32(),
      protocolName: reader.nullableString() ?? '',
      leader: reader.string(),
      memberId: reader.string(),
      members: reader.array(() => ({
        memberId: reader.string(),
        groupInstanceId: reader.nullableString(),
        subscription: decodeSubscription(reader.nullableBytes()),
      })),
    }
  },
}

function writeIdentity(writer: Writer, { groupId, generationId, memberId, groupInstanceId }: GroupMemberIdentity) {
  writer.string(groupId)
  writer.int32(generationId)
  writer.string(memberId)
  writer.nullableString(groupInstanceId)
}

export const syncGroup: ApiCodec<'syncGroup'> = {
  key: 14,
  min: 3,
  max: 3,
  flexibleFrom: 4,
  encode(request, _version, writer) {
    writeIdentity(writer, request)
    writer.array(request.assignments, ({ memberId, assignment }) => {
      writer.string(memberId)
      writer.bytes(encodeAssignment(assignment))
    })
  },
  decode(reader) {
    return {
      throttleTimeMs: reader.int32(),
      errorCode: reader.int16(),
      assignment: decodeAssignment(reader.nullableBytes()),
    }
  },
}

export const heartbeat: ApiCodec<'heartbeat'> = {
  key: 12,
  min: 3,
  max: 3,
  flexibleFrom: 4,
  encode(request, _version, writer) {
    writeIdentity(writer, request)
  },
  decode(reader) {
    return { throttleTimeMs: reader.int32(), errorCode: reader.int16() }
  },
}

export const leaveGroup: ApiCodec<'leaveGroup'> = {
  key: 13,
  min: 3,
  max: 3,
  flexibleFrom: 4,
  encode({ groupId, memberId, groupInstanceId }, _version, writer) {
    writer.string(groupId)
    writer.array([{ memberId, groupInstanceId }], (member) => {
      writer.string(member.memberId)
      writer.nullableString(member.groupInstanceId)
    })
  },
  decode(reader) {
    const throttleTimeMs = reader.int32()
    const errorCode = reader.int16()
    const memberErrors = reader.array(() => {
      reader.string() // member_id
      reader.nullableString() // group_instance_id
      return reader.int16()
    })
    // One member was named, so its error is the request's.
    return { throttleTimeMs, errorCode: errorCode === 0 ? (memberErrors[0] ?? 0) : errorCode }
  },
}
