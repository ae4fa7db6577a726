import { brokerCode, brokerError } from '../../../connection/broker-error.js'
import { judgeBy } from '../../../connection/verdicts.js'
import type { ConsumerSettings } from '../../../driver/consumer.js'
import { FencedError, type TidemarkError } from '../../../errors.js'

/** What the code of a ConsumerGroupHeartbeat answer means for a member. */
export type MemberVerdict =
  | 'ok'
  /** The group went on without us: what was ours is not, and we join again. */
  | 'fenced'
  /** A predecessor with our instance id has not left, and may live. */
  | 'unreleased'
  /** The pattern is none that brokers take. */
  | 'pattern-refused'
  | 'coordinator-moved'
  | 'wait'
  /** Not permitted now: final when it lasts. */
  | 'denied'
  | 'fatal'

/** A code that is not known to be final is waited out; the session bounds that. */
const judge = judgeBy<MemberVerdict>(
  {
    NONE: 'ok',
    UNKNOWN_MEMBER_ID: 'fenced',
    FENCED_MEMBER_EPOCH: 'fenced',
    UNRELEASED_INSTANCE_ID: 'unreleased',
    NOT_COORDINATOR: 'coordinator-moved',
    COORDINATOR_NOT_AVAILABLE: 'coordinator-moved',
    COORDINATOR_LOAD_IN_PROGRESS: 'wait',
    // A place may become free.
    GROUP_MAX_SIZE_REACHED: 'wait',
    GROUP_AUTHORIZATION_FAILED: 'denied',
    TOPIC_AUTHORIZATION_FAILED: 'denied',
    FENCED_INSTANCE_ID: 'fatal',
    GROUP_ID_NOT_FOUND: 'fatal',
    INVALID_GROUP_ID: 'fatal',
    INVALID_REGULAR_EXPRESSION: 'pattern-refused',
    INVALID_REQUEST: 'fatal',
    UNSUPPORTED_ASSIGNOR: 'fatal',
    UNSUPPORTED_VERSION: 'fatal',
  },
  'wait',
)

/** @param isJoin else it answers who was a member */
export function judgeMemberCode(code: number, isJoin: boolean): MemberVerdict {
  // Put out unnoticed by its own clock, as one whose machine slept; since then the group went, or its last member made it a
  // classic one. Whoever joins makes it anew, or changes it over.
  if (code === brokerCode.GROUP_ID_NOT_FOUND && !isJoin) return 'fenced'
  return judge(code)
}

/** What the code of a commit means for who sent it as a member. */
export const judgeMembersCommit = judgeBy<'stale' | 'fenced' | 'ok'>(
  {
    STALE_MEMBER_EPOCH: 'stale',
    UNKNOWN_MEMBER_ID: 'fenced',
    FENCED_MEMBER_EPOCH: 'fenced',
    GROUP_ID_NOT_FOUND: 'fenced',
  },
  'ok',
)

interface Refusal {
  readonly code: number
  /** In the broker's own words. */
  readonly message: string | null
}

type MemberSettings = Pick<ConsumerSettings, 'groupId' | 'groupInstanceId'>

/** The error of a `fatal` or `denied` verdict, with what to do about it. */
export function memberError({ code, message }: Refusal, doing: string, settings: MemberSettings): TidemarkError {
  const group = settings.groupId ?? ''
  if (code === brokerCode.FENCED_INSTANCE_ID) {
    return new FencedError(
      'fenced-instance-id',
      `another consumer of group "${group}" has the instance id "${settings.groupInstanceId}" since this one was removed ` +
        `while ${doing}; give every process an instance id of its own`,
    )
  }
  const said = message === null ? '' : ` (${message})`
  return brokerError(code, `${doing} of group "${group}"${said}`, { fix: fixFor(code) })
}

/** The predecessor's session would be over by now. */
export function instanceInUse({ groupId, groupInstanceId }: MemberSettings, waitedMs: number): FencedError {
  return new FencedError(
    'unreleased-instance-id',
    `another process is a member of group "${groupId}" with the instance id "${groupInstanceId}" and has been for ` +
      `${waitedMs} ms; give every process an instance id of its own`,
  )
}

function fixFor(code: number): string {
  switch (code) {
    case brokerCode.GROUP_ID_NOT_FOUND:
      return (
        'the group has members of the classic protocol and cannot change over: some of them have user data in their assignments, ' +
        "the group is larger than group.consumer.max.size, or group.consumer.migration.policy forbids it; the broker's log says which"
      )
    case brokerCode.GROUP_AUTHORIZATION_FAILED:
      return 'grant this client READ on the group'
    case brokerCode.TOPIC_AUTHORIZATION_FAILED:
      return 'grant this client DESCRIBE on the topics'
    case brokerCode.UNSUPPORTED_ASSIGNOR:
      return "choose one of the broker's group.consumer.assignors, or none"
    case brokerCode.UNSUPPORTED_VERSION:
      return "the cluster's feature group.version is below 1; take the classic group protocol, or raise it"
    case brokerCode.INVALID_GROUP_ID:
      return 'choose a group id that is not empty'
    default:
      return "the broker's log says what it has against the request"
  }
}
