import { CommanderError } from 'commander'
import { thrownText } from '../runtime/thrown.js'
import { whenAborted } from '../runtime/when-aborted.js'
import { exitCode, type ExitCode } from './exit-code.js'
import { failureOf } from './failure.js'
import { printableJson, printableLines } from '../text/printable.js'
import { programOf } from './program.js'
import { present } from './report.js'
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
  // As data an error is told once, and here.
  const told: Terminal = json ? { ...terminal, writeError: () => undefined } : terminal
  const program = programOf(told, async (work, { endsItself } = { endsItself: false }) => {
    const session = new Session(world, program.opts<GlobalFlags>())
    try {
      const working = work(session)
      const report = await (endsItself ? working : Promise.race([working, interruption(world.signal)]))
      exit = present(report, session.terminal, session.json)
    } finally {
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
      return json ? tell(new WrongUse(error.message), world, json) : exitCode.wrongUse
    }
    return tell(error, world, json)
  }
}

async function interruption(signal: AbortSignal): Promise<never> {
  await whenAborted(signal)
  throw signal.reason
}

function tell(error: unknown, { terminal, signal }: World, json: boolean): ExitCode {
  const { exit, code, message } = failureOf(error, signal)
  if (json) terminal.writeError(`${printableJson({ error: { code, message } })}\n`)
  else terminal.writeError(`tidemark: ${printableLines(message)}\n`)
  if (exit === exitCode.defect && !json) terminal.writeError(`${printableLines(thrownText(error).stack)}\n`)
  return exit
}
