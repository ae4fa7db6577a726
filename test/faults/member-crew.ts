import { until } from '../support/waiting.js'
import type { MemberTask } from './member-log.js'
import type { MemberProcess, MemberProgram, MemberVersion } from './member-process.js'

const leaveGraceMs = 20_000

/** The members of one group, those that were included. */
export class Crew implements AsyncDisposable {
  readonly everyone: MemberProcess[] = []
  readonly #leaving: Promise<unknown>[] = []

  constructor(
    private readonly programs: readonly MemberProgram[],
    private readonly task: Omit<MemberTask, 'name' | 'logFile' | 'seed'>,
    private readonly seed: number,
  ) {}

  /** Those that run and were not told to leave. */
  get active(): MemberProcess[] {
    return this.everyone.filter(({ isRunning, fate }) => isRunning && fate.kind === 'running')
  }

  join(version: MemberVersion = 'present'): MemberProcess {
    const number = this.everyone.length + 1
    const program = this.programs.find((each) => each.version === version)
    if (program === undefined) throw new Error(`no member program of the ${version} version was compiled`)
    const member = program.start({ ...this.task, name: `m${number}`, seed: this.seed * 1_000 + number })
    this.everyone.push(member)
    return member
  }

  activeOf(version: MemberVersion): MemberProcess[] {
    return this.active.filter((member) => member.version === version)
  }

  /** Tells it to leave and goes on; `allLeave` waits for it. */
  leave(member: MemberProcess): void {
    this.#leaving.push(member.leave(this.task.closeMs + leaveGraceMs))
  }

  async allJoined(): Promise<void> {
    await until(
      'every member has an assignment',
      async () => {
        const facts = await Promise.all(this.active.map(latestFacts))
        return facts.every((latest) => latest !== undefined && latest.partitions > 0 && latest.state === 'stable')
      },
      { timeoutMs: 120_000, everyMs: 200, seen: () => this.#states() },
    )
  }

  /** How many partitions the active members hold between them, but for one. */
  async heldBesides(absent: MemberProcess): Promise<number> {
    const others = this.active.filter((member) => member !== absent)
    const facts = await Promise.all(others.map(latestFacts))
    return facts.reduce((sum, latest) => sum + (latest?.partitions ?? 0), 0)
  }

  async #states(): Promise<string> {
    const told = this.active.map(async (member) => {
      const facts = await latestFacts(member)
      return `${member.name} ${facts === undefined ? 'nothing' : `${facts.state} with ${facts.partitions}`}`
    })
    return (await Promise.all(told)).join(', ')
  }

  async allLeave(): Promise<void> {
    for (const member of this.active) this.leave(member)
    await Promise.all(this.#leaving)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.everyone) {
      member.resume()
      await member.kill()
    }
  }
}

async function latestFacts(member: MemberProcess) {
  const events = await member.events()
  for (let at = events.length - 1; at >= 0; at--) {
    const event = events[at]
    if (event?.kind === 'facts') return event
  }
  return undefined
}
