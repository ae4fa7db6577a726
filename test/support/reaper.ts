import { spawn, type ChildProcess } from 'node:child_process'

/**
 * A shell that outlives this process by a moment: when its standard input ends, however this process died,
 * it kills the listed children and removes the listed folders.
 */
const script = `
pids=""; folders=""
without() { kept=""; for item in $1; do [ "$item" = "$2" ] || kept="$kept $item"; done; echo "$kept"; }
while read -r verb what; do
  case $verb in
    watch) pids="$pids $what" ;;
    forget) pids=$(without "$pids" "$what") ;;
    folder) folders="$folders $what" ;;
    keep) folders=$(without "$folders" "$what") ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
for folder in $folders; do rm -rf -- "$folder"; done
`

let shell: ChildProcess | undefined

function tell(verb: 'watch' | 'forget' | 'folder' | 'keep', what: string | number): void {
  shell ??= startShell()
  shell.stdin?.write(`${verb} ${what}\n`)
}

function startShell(): ChildProcess {
  // Detached: Ctrl-C goes to the whole foreground group, and this one has to live until the others are dead.
  const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  child.stdin.on('error', () => undefined)
  child.unref()
  ;(child.stdin as unknown as { unref(): void }).unref()
  return child
}

/** Kills `child` when this process ends in any way, SIGKILL included. */
export function dieWithUs(child: ChildProcess): void {
  const pid = child.pid
  if (pid === undefined) return
  tell('watch', pid)
  child.once('exit', () => tell('forget', pid))
}

/** Removes a folder when this process ends in any way. The path must hold no white space. */
export const removeWithUs = (folder: string): void => tell('folder', folder)
export const noLongerRemove = (folder: string): void => tell('keep', folder)
