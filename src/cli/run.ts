import { CommanderError } from 'commander'
import { thrownText } from '../runtime/thrown.js'
import { whenAborted } from '../runtime/when-aborted.js'
import { exitCode, type ExitCode } from './exit-code.js'
import { failureOf } from './failure.js'
import { printableJson, printableLines } from '../text/printable.js'
import { programOf } from './program.js'
import { present, type Report } from './report.js'
import { Session, type GlobalFlags } from './session.js'
import type { Terminal } from './terminal.js'
import type { World } from './world.js'
import { WrongUse } from './wrong-use.js'

/**
 * Runs one command line, without the names of Node and of the script. Resolves to what the process is to end with; never
 * rejects.
 */
export async function run(words: readonly string[], world: World): Promise<ExitCode> {
  const { terminal } = world
  const json = words.includes('--json')
  let exit: ExitCode = exitCode.fine
  let wasChanging = false
  // As data an error is told once, and here.
  const told: Terminal = json ? { ...terminal, writeError: () => undefined } : terminal
  const program = programOf(told, async (work, { endsItself } = { endsItself: false }) => {
    const session = new Session(world, program.opts<GlobalFlags>())
    try {
      const working = work(session)
      const report = await (endsItself ? working : Promise.race([working, interruption(session, working)]))
      exit = present(report, session.terminal, session.json)
    } finally {
      wasChanging = session.isChanging
      await session.close()
    }
  })
  try {
    await program.parseAsync(words, { from: 'user' })
    return exit
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCode.fine
      // Without `json` it has said so, with a hint.
      return json ? tell(new WrongUse(error.message), world, json, false) : exitCode.wrongUse
    }
    // What became of a change is told, interrupted or not.
    const isInterrupted = world.signal.aborted && !(wasChanging && error !== world.signal.reason)
    return tell(error, world, json, isInterrupted)
  }
}

async function interruption(session: Session, working: Promise<Report>): Promise<Report> {
  await whenAborted(session.signal)
  if (!session.isChanging) throw session.signal.reason
  session.note('what has begun is finished first')
  return working
}

function tell(error: unknown, { terminal }: World, json: boolean, isInterrupted: boolean): ExitCode {
  const { exit, code, message } = failureOf(error, isInterrupted)
  if (json) terminal.writeError(`${printableJson({ error: { code, message } })}\n`)
  else terminal.writeError(`tidemark: ${printableLines(message)}\n`)
  if (exit === exitCode.defect && !json) terminal.writeError(`${printableLines(thrownText(error).stack)}\n`)
  return exit
}
