import { brokerCode, brokerError } from '../../connection/broker-error.js'
import { judgeBy } from '../../connection/verdicts.js'
import type { ConsumerSettings } from '../../driver/consumer.js'
import { FencedError, type TidemarkError } from '../../errors.js'

/** What an answer of the coordinator means for a member. */
export type GroupVerdict =
  | 'ok'
  /** The group rebalances: join again. */
  | 'rebalance'
  /** The group went on without us, but knows us. */
  | 'generation-gone'
  /** The group does not know us any more. */
  | 'member-gone'
  /** The answer carries the member id to join with. */
  | 'member-id-given'
  | 'coordinator-moved'
  | 'wait'
  /** Not permitted now: final when it lasts. */
  | 'denied'
  | 'fatal'

/** A code that is not known to be final is waited out; the session timeout bounds that. */
export const judgeGroupCode = judgeBy<GroupVerdict>(
  {
    NONE: 'ok',
    REBALANCE_IN_PROGRESS: 'rebalance',
    ILLEGAL_GENERATION: 'generation-gone',
    UNKNOWN_MEMBER_ID: 'member-gone',
    MEMBER_ID_REQUIRED: 'member-id-given',
    NOT_COORDINATOR: 'coordinator-moved',
    COORDINATOR_NOT_AVAILABLE: 'coordinator-moved',
    COORDINATOR_LOAD_IN_PROGRESS: 'wait',
    FENCED_INSTANCE_ID: 'fatal',
    INCONSISTENT_GROUP_PROTOCOL: 'fatal',
    INVALID_GROUP_ID: 'fatal',
    INVALID_SESSION_TIMEOUT: 'fatal',
    GROUP_AUTHORIZATION_FAILED: 'denied',
    GROUP_MAX_SIZE_REACHED: 'fatal',
    UNSUPPORTED_VERSION: 'fatal',
    INVALID_REQUEST: 'fatal',
  },
  'wait',
)

type GroupIdentitySettings = Pick<ConsumerSettings, 'groupId' | 'groupInstanceId' | 'assignors' | 'sessionTimeoutMs'>

/** The error of a `fatal` or `denied` verdict, with what to do about it. */
export function fatalGroupError(code: number, doing: string, settings: GroupIdentitySettings): TidemarkError {
  const group = settings.groupId ?? ''
  if (code === brokerCode.FENCED_INSTANCE_ID) {
    return new FencedError(
      'fenced-instance-id',
      `another consumer joined group "${group}" with the instance id "${settings.groupInstanceId}" while ${doing}; ` +
        'give every process an instance id of its own',
    )
  }
  return brokerError(code, `${doing} of group "${group}"`, { fix: fixFor(code, settings) })
}

function fixFor(code: number, settings: GroupIdentitySettings): string {
  switch (code) {
    case brokerCode.INCONSISTENT_GROUP_PROTOCOL:
      return (
        `the other members know none of the assignors ${settings.assignors.join(', ')}; configure one in common ` +
        "(Java's default is range and cooperative-sticky, kafkajs has only kafkajs-roundrobin)"
      )
    case brokerCode.INVALID_SESSION_TIMEOUT:
      return (
        `${settings.sessionTimeoutMs} ms lies outside the broker's group.min.session.timeout.ms and ` +
        'group.max.session.timeout.ms; choose a session timeout between them'
      )
    case brokerCode.GROUP_AUTHORIZATION_FAILED:
      return 'grant this client READ on the group'
    case brokerCode.GROUP_MAX_SIZE_REACHED:
      return "the group is full: run fewer members or raise the broker's group.max.size"
    case brokerCode.INVALID_GROUP_ID:
      return 'choose a group id that is not empty'
    case brokerCode.UNSUPPORTED_VERSION:
      return 'the broker is too old or too new for this tidemark, or cannot do what the group needs'
    default:
      return "the broker's log says what it has against the request"
  }
}
