import type { Command } from 'commander'
import type { AskedProcess, MemberPartition } from '../../members/process-facts.js'
import { address } from '../arguments.js'
import type { DescribedMember, GroupDescription } from '../../driver/admin.js'
import { seeAllOf, type SeenGroup } from '../../lag/lag-look.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { exitCode } from '../exit-code.js'
import type { Paint } from '../paint.js'
import type { Report } from '../report.js'
import type { Execute, Session } from '../session.js'
import { listing, table, type Cell } from '../table.js'
import { partitionsTold, processesText, processOf, toldCells, toldTitles } from './told-by-members.js'
import { printable } from '../../text/printable.js'

export function addGroupDescribe(group: Command, execute: Execute): void {
  group
    .command('describe')
    .description('members, who reads what, where each partition stands; of share groups the members alone')
    .argument('<groups...>')
    .option('--members <urls...>', 'health servers of members: what each waits for, and since when', address)
    .action((groups: readonly string[], options: Options) =>
      execute((session) => describeGroups(session, groups, options)),
    )
}

interface Options {
  readonly members?: readonly URL[] | undefined
}

interface PlaceOfGroup extends TopicPartition {
  readonly committed: number | null
  readonly end: number | null
  readonly lag: number | null
  readonly memberId: string | null
  /** As its member tells it; `null` where none was asked that has it. */
  readonly told: MemberPartition | null
}

interface DescribedGroup extends Omit<GroupDescription, 'members'> {
  /** What is committed there, and how far behind it is, nobody can tell. */
  readonly unseen: SeenGroup['unseen']
  readonly members: readonly (DescribedMember & { readonly lag: number | null })[]
  readonly partitions: readonly PlaceOfGroup[]
}

async function describeGroups(session: Session, names: readonly string[], { members }: Options): Promise<Report> {
  const { admin } = await session.cluster()
  const described = await admin.describeGroups(names, session.call)
  const committing = described.filter(({ type }) => type !== 'share')
  const watched = committing.map(({ groupId }) => ({ group: groupId }))
  const seen = await seeAllOf(admin, watched, () => session.call.timeoutMs)
  const asked = members === undefined ? null : await session.processes(members)
  const groups = described.map((one) =>
    withPlaces(
      one,
      seen.find(({ group }) => group === one.groupId),
      asked ?? [],
    ),
  )
  const processes = asked?.map((one) => processOf(one, names)) ?? null
  const unknown = names.filter((name) => !described.some(({ groupId }) => groupId === name))
  return {
    value: { groups, unknown, processes },
    text: (paint) =>
      [
        ...groups.map((one) => groupText(paint, one, asked !== null)),
        ...unknown.map(unknownText),
        ...(processes === null ? [] : [processesText(paint, processes)]),
      ].join('\n'),
    exit: unknown.length === 0 && groups.every(({ unseen }) => unseen.length === 0) ? exitCode.fine : exitCode.found,
  }
}

/** What is read counts also where nothing is committed yet, and the other way round. */
function withPlaces(
  group: GroupDescription,
  seen: SeenGroup | undefined,
  asked: readonly AskedProcess[],
): DescribedGroup {
  const places = new Map<string, PlaceOfGroup>()
  for (const { topic, partition, committed, end, start } of seen?.partitions ?? []) {
    const lag = committed === null || committed > end ? end - start : end - committed
    places.set(partitionKey(topic, partition), { topic, partition, committed, end, lag, memberId: null, told: null })
  }
  for (const { memberId, partitions } of group.members) {
    for (const { topic, partition } of partitions) {
      const key = partitionKey(topic, partition)
      const nothing = { topic, partition, committed: null, end: null, lag: null, told: null }
      places.set(key, { ...(places.get(key) ?? nothing), memberId })
    }
  }
  for (const told of asked.flatMap((one) => partitionsTold(one, group.groupId))) {
    const place = places.get(partitionKey(told.topic, told.partition))
    if (place !== undefined) places.set(partitionKey(told.topic, told.partition), { ...place, told })
  }
  const partitions = [...places.values()].sort((one, other) =>
    one.topic === other.topic ? one.partition - other.partition : one.topic < other.topic ? -1 : 1,
  )
  const members = group.members.map((member) => {
    const own = partitions.filter(({ memberId }) => memberId === member.memberId)
    const lag = own.some((place) => place.lag === null) ? null : own.reduce((sum, place) => sum + (place.lag ?? 0), 0)
    return { ...member, lag: group.type === 'share' ? null : lag }
  })
  return { ...group, members, partitions, unseen: seen?.unseen ?? [] }
}

function groupText(paint: Paint, group: DescribedGroup, isAsked: boolean): string {
  const { groupId, state, type, assignor, coordinator, members, partitions, unseen } = group
  const head = listing(paint, [
    ['group', { text: groupId, tone: 'title' }],
    ['state', state],
    ['type', type],
    ['assignor', assignor],
    ['coordinator', coordinator],
  ])
  const nameOf = new Map(
    members.map(({ memberId, clientId, groupInstanceId }) => [memberId, groupInstanceId ?? clientId]),
  )
  const memberRows = members.map(({ memberId, groupInstanceId, clientHost, partitions: own, lag }) => [
    memberId,
    groupInstanceId,
    clientHost,
    own.length,
    lag,
  ])
  const placeRows = partitions.map(({ topic, partition, committed, end, lag, memberId, told }): Cell[] => [
    topic,
    partition,
    committed,
    end,
    lag,
    memberId === null ? null : (nameOf.get(memberId) ?? memberId),
    ...(isAsked ? toldCells(told) : []),
  ])
  const unseenRows = unseen.map(({ topic, partition, reason }): Cell[] => [
    topic,
    partition,
    { text: reason, tone: 'bad' },
  ])
  const titles = ['TOPIC', 'PARTITION', 'COMMITTED', 'END', 'LAG', 'READ BY']
  return [
    head,
    table(paint, ['MEMBER', 'INSTANCE', 'HOST', 'PARTITIONS', 'LAG'], memberRows, 'It has no members.'),
    table(paint, isAsked ? [...titles, ...toldTitles] : titles, placeRows, 'It has committed nothing.'),
    ...(unseen.length === 0 ? [] : [table(paint, ['NOT SEEN', 'PARTITION', 'WHY'], unseenRows, '')]),
    ...(isAsked || members.length === 0 ? [] : [`${paint('quiet', onlyMembersKnow)}\n`]),
  ].join('\n')
}

const onlyMembersKnow =
  'What is in flight, what it waits for and since when only its members know: --members with the addresses of their health servers.'

function unknownText(name: string): string {
  return `No coordinator knows group ${printable(name)}.\n`
}
