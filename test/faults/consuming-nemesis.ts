import { delay, until } from '../support/waiting.js'
import type { ConsumingField } from './consuming-cells.js'
import { monotonicMs } from './member-log.js'
import type { MemberProcess, MemberVersion } from './member-process.js'

/** How often what was done, by kind. */
export type Injections = Readonly<Record<string, number>>

const churnEveryMs = [800, 1_700] as const

/** Every two seconds at the latest a member leaves, or joins in the place of one that left, or is killed. */
export async function churn({ crew, random, goesOn }: ConsumingField): Promise<Injections> {
  const counts = { joins: 0, leaves: 0, kills: 0 }
  for (let turn = 0; goesOn(counts); turn++) {
    const nextAt = monotonicMs() + churnEveryMs[0] + random() * (churnEveryMs[1] - churnEveryMs[0])
    const member = pick(crew.active, random)
    if (turn % 2 === 1 || member === undefined) {
      crew.join()
      counts.joins++
    } else if (turn % 4 === 0) {
      crew.leave(member)
      counts.leaves++
    } else {
      await member.kill()
      counts.kills++
    }
    await delay(Math.max(0, nextAt - monotonicMs()))
  }
  return counts
}

/** The group's coordinator and a leader of the topic in turn: SIGKILL, new leaders, restart. */
export async function killBrokers({ cluster, topic, group, random, goesOn }: ConsumingField): Promise<Injections> {
  const counts = { coordinators: 0, leaders: 0 }
  const leaders = async () => (await cluster.partitionsOf(topic)).map(({ leader }) => leader)
  while (goesOn(counts)) {
    const isCoordinator = counts.coordinators <= counts.leaders
    const coordinator = await cluster.coordinatorOf(group)
    const others = (await leaders()).filter((id) => id !== coordinator)
    const victim = isCoordinator ? coordinator : (pick(others, random) ?? coordinator)
    await cluster.waitForFullIsr(topic)
    await cluster.node(victim).kill()
    if (isCoordinator) counts.coordinators++
    else counts.leaders++
    await cluster.waitForElections(topic, victim)
    await delay(1_000)
    await cluster.node(victim).restart(cluster.nodes.length)
    await cluster.waitForFullIsr(topic)
    await cluster.waitForFullIsr('__consumer_offsets')
  }
  return counts
}

/** A member is stopped until the group has given its partitions away and others work on them, then goes on. */
export async function stopAndContinue(field: ConsumingField): Promise<Injections> {
  const { crew, partitions, sessionTimeoutMs, random, goesOn } = field
  const counts = { stops: 0 }
  await delay(1_000)
  while (goesOn(counts)) {
    const member = pick(crew.active, random) as MemberProcess
    member.pause()
    await delay(sessionTimeoutMs)
    await until('others have its partitions', async () => (await crew.heldBesides(member)) === partitions, {
      everyMs: 200,
    })
    await delay(1_500)
    member.resume()
    counts.stops++
    await delay(3_000)
  }
  return counts
}

/**
 * Members of both versions work together. One by one those of the former are replaced by the present version, then all
 * of them by the former.
 */
export async function roll({ crew, goesOn }: ConsumingField): Promise<Injections> {
  const counts = { forward: 0, back: 0 }
  const replace = async (from: MemberVersion, to: MemberVersion): Promise<boolean> => {
    const [leaving] = crew.activeOf(from)
    if (leaving === undefined) return false
    crew.leave(leaving)
    crew.join(to)
    await crew.allJoined()
    await delay(500)
    return true
  }
  do {
    while (await replace('former', 'present')) counts.forward++
    while (await replace('present', 'former')) counts.back++
  } while (goesOn(counts))
  return counts
}

/** One member of each version is killed at the same moment, in the midst of its work, and two others come. */
export async function killMembers({ crew, random, goesOn }: ConsumingField): Promise<Injections> {
  const counts = { former: 0, present: 0 }
  while (goesOn(counts)) {
    await delay(1_500 + random() * 2_000)
    for (const version of ['former', 'present'] as const) {
      await pick(crew.activeOf(version), random)?.kill()
      counts[version]++
      crew.join(version)
    }
    await crew.allJoined()
  }
  return counts
}

function pick<T>(list: readonly T[], random: () => number): T | undefined {
  return list[Math.floor(random() * list.length)]
}
