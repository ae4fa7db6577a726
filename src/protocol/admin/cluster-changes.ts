import { brokerCode, brokerCodeName, brokerError } from '../../connection/broker-error.js'
import { RequestError } from '../../connection/request-error.js'
import type { AlterConfigsRequest, ResourceType } from '../../connection/requests/admin.js'
import { judgeBy } from '../../connection/verdicts.js'
import type { ConfigChanges, ElectedLeader, RecordsToDelete } from '../../driver/admin.js'
import type { DriverError } from '../../errors.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { byLeader } from '../cluster/by-leader.js'
import type { ClientContext } from '../cluster/client-context.js'
import type { Cluster } from '../cluster/cluster.js'
import type { Retry } from '../cluster/transactions-view.js'

type ChangeContext = ClientContext<{ readonly requestTimeoutMs: number }>

/** `retry`: asking again may help, perhaps somebody else. All of these changes may be made twice. */
const judgeChange = judgeBy<'done' | 'retry' | 'refused'>(
  {
    NONE: 'done',
    NOT_CONTROLLER: 'retry',
    NOT_LEADER_OR_FOLLOWER: 'retry',
    LEADER_NOT_AVAILABLE: 'retry',
    REQUEST_TIMED_OUT: 'retry',
    NETWORK_EXCEPTION: 'retry',
    BROKER_NOT_AVAILABLE: 'retry',
    THROTTLING_QUOTA_EXCEEDED: 'retry',
    UNKNOWN_TOPIC_OR_PARTITION: 'retry',
    UNKNOWN_SERVER_ERROR: 'retry',
  },
  'refused',
)

/** What an election of the preferred leader came to. */
const judgeElection = judgeBy<ElectedLeader['outcome'] | 'retry' | 'refused'>(
  {
    NONE: 'elected',
    ELECTION_NOT_NEEDED: 'leads-already',
    PREFERRED_LEADER_NOT_AVAILABLE: 'not-available',
    ELIGIBLE_LEADERS_NOT_AVAILABLE: 'not-available',
    NOT_CONTROLLER: 'retry',
    REQUEST_TIMED_OUT: 'retry',
    NETWORK_EXCEPTION: 'retry',
    BROKER_NOT_AVAILABLE: 'retry',
    THROTTLING_QUOTA_EXCEEDED: 'retry',
    UNKNOWN_SERVER_ERROR: 'retry',
  },
  'refused',
)

/** Rounds after which what brokers do not know is not there: one alone may lag. */
const unknownInARow = 3

/** Changes of logs, settings and leaders. Each may be asked for twice, so one without an answer is asked for again. */
export class ClusterChanges {
  readonly #context: ChangeContext
  readonly #retry: Retry

  constructor(context: ChangeContext, retry: Retry) {
    this.#context = context
    this.#retry = retry
  }

  /** Asks the leader of each. @returns where each log begins now, in order */
  async deleteRecords(records: readonly RecordsToDelete[], deadline: number): Promise<readonly number[]> {
    const { cluster } = this.#context
    const open = new Map(records.map((each) => [partitionKey(each.topic, each.partition), each]))
    const starts = new Map<string, number>()
    let round = 0
    await this.#rounds('deleting records', deadline, async (timeoutMs) => {
      round += 1
      await cluster.refresh([...new Set([...open.values()].map(({ topic }) => topic))], deadline)
      let trouble: string | null = null
      const askOne = async (node: number, partitions: readonly RecordsToDelete[]) => {
        if (node < 0) return (trouble = `${placeOf(partitions[0]!)} has no leader that is known`)
        const answer = await this.#ask(node, { api: 'deleteRecords', partitions, timeoutMs }, deadline)
        for (const { topic, partition, errorCode, logStartOffset } of answer.partitions) {
          const key = partitionKey(topic, partition)
          const isMissing = errorCode === brokerCode.UNKNOWN_TOPIC_OR_PARTITION && round >= unknownInARow
          const verdict = isMissing ? 'refused' : judgeChange(errorCode)
          if (verdict === 'refused') throw refusedAt({ topic, partition }, errorCode, 'deleting records of')
          if (verdict === 'retry') trouble = `${topic}-${partition}: ${brokerCodeName(errorCode)}`
          else {
            starts.set(key, logStartOffset)
            open.delete(key)
          }
        }
        return trouble
      }
      await Promise.all([...byLeader(cluster, open.values())].map(([node, partitions]) => askOne(node, partitions)))
      return trouble
    })
    return records.map(({ topic, partition }) => starts.get(partitionKey(topic, partition)) ?? -1)
  }

  /** Changes the settings that are named and no others. */
  async alterConfig(type: ResourceType, name: string, changes: ConfigChanges, deadline: number): Promise<void> {
    const { cluster } = this.#context
    const doing = `changing the configuration of ${type} "${name}"`
    const named = Object.entries(changes).map(([setting, value]) => ({ name: setting, value }))
    const request: AlterConfigsRequest = {
      api: 'incrementalAlterConfigs',
      type,
      name,
      changes: named,
      validateOnly: false,
    }
    let round = 0
    await this.#rounds(doing, deadline, async () => {
      round += 1
      const answer =
        type === 'broker'
          ? await this.#ask(Number(name), request, deadline)
          : await cluster.anyBroker(request, deadline)
      const { errorCode, errorMessage } = answer.resources[0] ?? { errorCode: -1, errorMessage: null }
      const isMissing = errorCode === brokerCode.UNKNOWN_TOPIC_OR_PARTITION && round >= unknownInARow
      const verdict = isMissing ? 'refused' : judgeChange(errorCode)
      if (verdict === 'retry') return brokerCodeName(errorCode)
      if (verdict === 'done') return null
      const fix = errorMessage === null ? 'grant this client ALTER_CONFIGS on it' : `the broker says: ${errorMessage}`
      throw brokerError(errorCode, doing, { ...(type === 'topic' ? { topic: name } : {}), fix })
    })
  }

  /** Makes the first replica of each partition its leader, where that is in sync. @returns in order */
  async electLeaders(partitions: readonly TopicPartition[], deadline: number): Promise<readonly ElectedLeader[]> {
    const { cluster } = this.#context
    const open = new Map(partitions.map((at) => [partitionKey(at.topic, at.partition), at]))
    const outcomes = new Map<string, ElectedLeader['outcome']>()
    await this.#rounds('electing leaders', deadline, async (timeoutMs) => {
      await cluster.refresh([], deadline)
      const request = { api: 'electLeaders', partitions: [...open.values()], timeoutMs } as const
      const answer = await cluster.controller(request, deadline)
      const whole = judgeElection(answer.errorCode)
      if (whole === 'refused')
        throw brokerError(answer.errorCode, 'electing leaders', { fix: 'grant this client ALTER on the cluster' })
      if (whole === 'retry') return brokerCodeName(answer.errorCode)
      let trouble: string | null = null
      for (const { topic, partition, errorCode } of answer.partitions) {
        const verdict = judgeElection(errorCode)
        if (verdict === 'refused') throw refusedAt({ topic, partition }, errorCode, 'electing the leader of')
        if (verdict === 'retry') trouble = `${topic}-${partition}: ${brokerCodeName(errorCode)}`
        else {
          outcomes.set(partitionKey(topic, partition), verdict)
          open.delete(partitionKey(topic, partition))
        }
      }
      // One that is led by its first replica already may be left out.
      for (const [key] of trouble === null ? open : []) outcomes.set(key, 'leads-already')
      return trouble
    })
    return partitions.map(({ topic, partition }) => ({
      ...{ topic, partition },
      outcome: outcomes.get(partitionKey(topic, partition)) ?? 'leads-already',
    }))
  }

  #ask<R extends Parameters<Cluster['connection']['request']>[2]>(node: number, request: R, deadline: number) {
    const { cluster, runtime, settings } = this.#context
    const until = Math.min(deadline, runtime.clock.now() + settings.requestTimeoutMs)
    return cluster.connection.request(node, 'main', request, until)
  }

  /** One attempt after the other; a request without an answer stands in the way like any other trouble. */
  async #rounds(
    doing: string,
    deadline: number,
    attempt: (timeoutMs: number) => Promise<string | null>,
  ): Promise<void> {
    const { runtime, settings } = this.#context
    await this.#retry(deadline, async () => {
      try {
        // The broker gives up before our own clock does, so that its answer tells what happened.
        const timeoutMs = Math.max(1, Math.min(deadline - runtime.clock.now(), settings.requestTimeoutMs) - 500)
        const trouble = await attempt(timeoutMs)
        return trouble === null ? null : `${doing}: ${trouble}`
      } catch (failure) {
        if (failure instanceof RequestError && failure.retriable) return `${doing}: ${failure.message}`
        throw failure
      }
    })
  }
}

function placeOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

function refusedAt({ topic, partition }: TopicPartition, code: number, doing: string): DriverError {
  return brokerError(code, `${doing} ${topic}-${partition}`, { topic, partition })
}
