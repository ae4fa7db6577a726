import type { DriverConsumer } from '../../driver/consumer.js'
import { StateError, type TidemarkError } from '../../errors.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { Dispatch } from '../dispatch/dispatch.js'
import { Settler, type SettlerParts } from '../dispatch/settler.js'
import { atLeastOnce, type Handling } from '../handling/at-least-once.js'
import { BatchLoop } from '../handling/batch-loop.js'
import { deadLetterRung } from '../handling/dead-letters.js'
import type { DeadLetterPolicy } from '../handling/failed-record.js'
import { discardRung, stopRung } from '../handling/fates.js'
import { Classifier } from '../handling/failure-class.js'
import { Ladder, legible, type Failed, type Rung } from '../handling/ladder.js'
import { sentAtOnce } from '../handling/outputs.js'
import { Outages } from '../handling/outages.js'
import { retryRung } from '../handling/retries.js'
import { RunningCalls } from '../handling/running-calls.js'
import { TracedDeliveries } from '../handling/traced-deliveries.js'
import { CallMark } from '../../runtime/callers.js'
import { ChangedValues } from '../intake/changed-values.js'
import { Inflow, type Supply } from '../intake/inflow.js'
import { Intake } from '../intake/intake.js'
import { StagedInflow } from '../intake/staged-inflow.js'
import type { ConsumerDependencies } from '../options/consumer-dependencies.js'
import type { DelayTopicsRun } from '../options/delay-topics.js'
import type { Ordering, OrderingParts } from '../options/ordering.js'
import type { ResolvedConsumerOptions } from '../options/consumer-schema.js'
import { BackPressure, unbounded } from '../partition/back-pressure.js'
import { FormerHandlers } from '../partition/former-handlers.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { UserPauses } from '../partition/user-pauses.js'
import { OwnedPartitions } from '../partition/owned-partitions.js'
import type { DrainTools } from '../release/drain.js'
import { RunningDrains } from '../release/running-drains.js'
import { committedOffsets } from '../settling/committed-offsets.js'
import { confirm } from '../settling/confirm.js'
import type { Ledger } from '../settling/ledger.js'
import { noLedger } from '../settling/no-ledger.js'
import { deletedTopics } from '../watch/deleted-topics.js'
import { partsFacts, type PartsFacts } from '../watch/facts.js'
import { Gauges } from '../watch/gauges.js'
import { StallWatch } from '../watch/stall-watch.js'
import { defect } from './defect.js'
import { PartitionLifecycle } from './partition-lifecycle.js'
import { Steering } from './steering.js'
import { UserHooks } from './user-hooks.js'
import { lookUpIn } from '../../topic/topic-lookup.js'

/** How long a handler may take to heed its signal; never longer than it may take at all. */
const handlerGraceMs = 5_000

/** What a consumer is made of, as far as it deals with it. */
export interface ConsumerParts {
  readonly partitions: OwnedPartitions
  readonly lifecycle: PartitionLifecycle
  readonly steering: Steering
  readonly ledger: Ledger
  /** Where batches go; `null` when there is a handler. */
  readonly loop: BatchLoop | null
  /** One order of all partitions; `null`: each has its own. */
  readonly ordering: Ordering | null
  /** Does the code that asks run inside a handler, or the body of a loop, of this consumer? */
  readonly isCalling: () => boolean
  readonly facts: () => PartsFacts
  /** No timer is left. */
  readonly close: () => void
}

/** What the parts are given by whoever runs them. */
export interface AssemblyParts {
  readonly pauses: UserPauses
  /** There from the start of the consumer on. */
  readonly driver: () => DriverConsumer
  /** The consumer cannot go on. */
  readonly onFailed: (error: TidemarkError) => void
}

/** Makes the parts of a consumer and joins them; nothing is done before the driver tells of partitions. */
export function assemble(
  options: ResolvedConsumerOptions,
  dependencies: ConsumerDependencies,
  { pauses, driver, onFailed }: AssemblyParts,
): ConsumerParts {
  const { logger, metrics, onEvent, troubles, tracing, send } = dependencies
  const telemetry: Telemetry = { logger, metrics, onEvent, troubles, tracing }
  const { runtime } = dependencies.driver
  const { clock } = runtime
  const { group, handlerTimeoutMs } = options
  const onDefect = (error: unknown) => onFailed(defect(error))

  const partitions: OwnedPartitions = new OwnedPartitions(
    {
      wayInOf: (partition) => dispatch.wayInOf(partition),
      fetching: { pause: (place) => driver().pause(place), resume: (place) => driver().resume(place) },
    },
    pauses,
    new FormerHandlers(clock, options.drainMs),
    clock,
    (partition) => delays?.taken(partition),
  )
  const owned = () => partitions.all()
  const outages = new Outages({ settings: options.outage, runtime, telemetry })
  const classifier = new Classifier(options.classify, telemetry)
  const classOf = (thrown: unknown) => classifier.classOf(legible(thrown))
  const ordering = orderingOf(options, dependencies, { telemetry, classOf, outages, onFailed }, driver)
  // What waits for its turn in an order has bounds there: closing the door on it could keep its turn from coming.
  const [high, low] = ordering === null ? [options.highMark, options.lowMark] : [unbounded, unbounded]
  const backPressure = new BackPressure(high, low, (partition) => gauges.changedIn(partition))
  const handledBy = options.loop ? 'loop' : 'handler'
  const graceMs = Math.min(handlerGraceMs, handlerTimeoutMs)
  const running = new RunningCalls({ clock, graceMs, handledBy, telemetry })
  const makeLedger = dependencies.ledger ?? (group === null ? noLedger : committedOffsets)
  const ledger = makeLedger({
    policy: options.commit,
    partitions: owned,
    driver,
    runtime,
    telemetry,
    onLost: (partition) => lifecycle.lost([partition.assigned]),
    onDefect,
    onFailed,
    rewind: (partition) => steering.rewind(partition),
  })
  const loop: BatchLoop | null = options.loop
    ? new BatchLoop(
        (partition, timeoutMs, after) => confirm([partition], { group, ledger, clock, timeoutMs, after }),
        () => dispatch.wake(),
      )
    : null
  const delays: DelayTopicsRun | undefined = dependencies.delayTopics?.begin({
    ledger,
    partition: (topic, partition) => partitions.get(topic, partition),
    runtime,
    telemetry,
  })
  const mark = new CallMark()
  const isTakenUpOneByOne = ordering !== null || dependencies.stage !== null || options.handle !== undefined
  const topics = topicsByName(options, dependencies)
  const changed = new ChangedValues(logger, metrics)
  const preparing = { runtime, telemetry }
  const intake = new Intake(topics, isTakenUpOneByOne ? null : options.batchMessages, changed, preparing)
  const delayed = new Intake(topics, null, changed, preparing)
  const handling = handlingOf(options, loop)
  const makeDelivery = dependencies.delivery ?? atLeastOnce
  const traced = tracing === undefined ? null : new TracedDeliveries(tracing)
  const delivery = makeDelivery({
    handling: ordering === null ? handling : ordering.around(handling),
    middleware: options.use,
    messagesAgain: (work) => intake.again(work),
    outages,
    ladder: new Ladder(rungsOf(options, dependencies, { outages, delays, telemetry }), classifier, runtime),
    running,
    mark,
    outputs: dependencies.outputs ?? sentAtOnce(send),
    handlerTimeoutMs,
    clock,
    logger,
    metrics,
    onFailed: traced?.failed,
  })
  const stopPartition = (partition: OwnedPartition, error: Error) => lifecycle.stop(partition, error)
  const told = traced === null ? delivery : traced.around(delivery)
  const inLoop = loop === null ? told : loop.around(told)
  const settler = new Settler({
    delivery: delays?.around(inLoop) ?? inLoop,
    ledger,
    backPressure,
    metrics,
    clock,
    stopPartition,
    onEnd: onEndOf(loop, delays),
  })
  const dispatch = new Dispatch({
    order: options.order,
    concurrency: options.concurrency,
    mayBegin: loop === null ? undefined : () => loop.isAsked,
    supplyOf: supplies({ intake, delayed, delays, ordering }, options, dependencies),
    settler,
    ledger,
    backPressure,
    clock,
    stopPartition,
    onDefect,
  })
  const stallWatch = new StallWatch({
    warnAfterMs: options.stallWarningMs,
    fetchMaxWaitMs: options.fetch.maxWaitMs,
    handledBy,
    partitions: owned,
    driver,
    oldestHandlerStartedAt: () => running.oldestStartedAt,
    clock,
    telemetry,
  })
  const hooks = new UserHooks(options, { runtime, telemetry })
  const onRevoked: DrainTools['onRevoked'] = (...drained) => hooks.revoked(...drained)
  const drains = new RunningDrains({ clock, ledger, running, onRevoked }, (report) => lifecycle.drained(report))
  const gauges: Gauges = new Gauges(owned, metrics)
  const steering = new Steering(options.drainMs, {
    partitions,
    ledger,
    running,
    gauges,
    driver,
    clock,
    telemetry,
  })
  const lifecycle = new PartitionLifecycle(options, {
    partitions,
    backPressure,
    ledger,
    driver,
    drains,
    hooks,
    stallWatch,
    gauges,
    clock,
    telemetry,
    onFailed,
  })
  return {
    partitions,
    lifecycle,
    steering,
    ledger,
    loop,
    ordering,
    isCalling: () => dispatch.running > 0 && (loop?.isCalling ?? mark.isWithin),
    facts: () =>
      partsFacts({
        partitions: owned(),
        driver,
        dispatch,
        settler,
        running,
        ledger,
        drains,
        stallWatch,
        gauges,
        ordering,
        clock,
      }),
    close: () => {
      ordering?.close()
      lifecycle.close()
      running.close()
      traced?.close()
    },
  }
}

function orderingOf(
  options: ResolvedConsumerOptions,
  { ordering, driver: { runtime } }: ConsumerDependencies,
  parts: Pick<OrderingParts, 'telemetry' | 'classOf' | 'outages' | 'onFailed'>,
  driver: AssemblyParts['driver'],
): Ordering | null {
  if (ordering === undefined) return null
  return ordering({
    ...parts,
    clock: runtime.clock,
    batchMessages: batchMessagesOf(options),
    marks: { high: options.highMark, low: options.lowMark },
    handlerTimeoutMs: options.handlerTimeoutMs,
    endOf: (partition) => driver().endOf(partition),
    isDeleted: (name) => deletedTopics(driver()).has(name),
  })
}

function batchMessagesOf({ handle, batchMessages }: ResolvedConsumerOptions): number | null {
  return handle === undefined ? batchMessages : null
}

/** What comes back from a delay topic is told as of the topic it was put off from. */
function topicsByName({ topics }: ResolvedConsumerOptions, { delayTopics }: ConsumerDependencies) {
  const named = topics.flatMap((topic) =>
    [topic.name, ...(delayTopics?.ofTopic.get(topic.name) ?? [])].map((name) => [name, topic] as const),
  )
  return lookUpIn(new Map(named), topics)
}

interface SupplyParts {
  readonly intake: Intake
  /** Of delay topics: they have a stage of their own. */
  readonly delayed: Intake
  readonly delays: DelayTopicsRun | undefined
  readonly ordering: Ordering | null
}

/** With an order or a stage, batches are formed behind it. */
function supplies(
  { intake, delayed, delays, ordering }: SupplyParts,
  options: ResolvedConsumerOptions,
  { stage: stageOf, driver }: ConsumerDependencies,
) {
  const batchMessages = batchMessagesOf(options)
  const { clock } = driver.runtime
  return (partition: OwnedPartition): Supply => {
    const delay = delays?.stage(partition) ?? null
    if (delay !== null) {
      return new StagedInflow(partition, batchMessages, { inflow: new Inflow(partition, delayed), stage: delay, clock })
    }
    const inflow = new Inflow(partition, intake)
    if (ordering !== null) return ordering.supplyOf(partition, inflow)
    const stage = stageOf?.(partition) ?? null
    if (stage === null) return inflow
    const parts = { inflow, stage, clock }
    return new StagedInflow(partition, batchMessages, parts)
  }
}

function onEndOf(loop: BatchLoop | null, delays: DelayTopicsRun | undefined): SettlerParts['onEnd'] {
  if (loop === null && delays === undefined) return undefined
  return (work, end) => {
    loop?.ended(work, end)
    delays?.ended(work, end)
  }
}

function handlingOf({ handle, handleBatch }: ResolvedConsumerOptions, loop: BatchLoop | null): Handling {
  if (loop !== null) return { kind: 'batch', handleBatch: loop.offer }
  if (handle !== undefined) return { kind: 'each', handle }
  if (handleBatch !== undefined) return { kind: 'batch', handleBatch }
  throw new StateError('no-handler', 'a consumer needs handle or handleBatch, or loop: true')
}

const unlimited: DeadLetterPolicy = { breaker: null, afterwards: 'continue' }

interface RungParts {
  readonly outages: Outages
  readonly delays: DelayTopicsRun | undefined
  readonly telemetry: Telemetry
}

/** Docs: decision 4. */
function rungsOf(
  { group, retry }: ResolvedConsumerOptions,
  { deadLetter: route, deadLetterPolicy: policy = unlimited, driver: { runtime } }: ConsumerDependencies,
  { outages, delays, telemetry }: RungParts,
): Rung[] {
  const goesLater = (failed: Failed) => delays?.takes(failed) === true
  const sourceOf = (partition: OwnedPartition) => delays?.sourceOf(partition)
  return [
    discardRung(telemetry),
    retryRung({ settings: retry, outages, goesLater, runtime, telemetry }),
    ...(delays === undefined ? [] : [delays.rung]),
    ...(route === null ? [] : [deadLetterRung({ group, route, policy, sourceOf, runtime, telemetry })]),
    stopRung,
  ]
}
