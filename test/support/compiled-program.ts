import { mkdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { build } from 'tsup'
import { noLongerRemove, removeWithUs } from './reaper.js'

/** A program as one file, so that its process is up in a moment; inside its project, where it finds its packages. */
export class CompiledProgram implements AsyncDisposable {
  private constructor(
    readonly folder: string,
    readonly file: string,
  ) {}

  /** @param name of the folder, beside which others may be in use */
  static async compile(root: string, entry: string, name: string): Promise<CompiledProgram> {
    const folder = join(root, 'node_modules', '.cache', `tidemark-${name}-${process.pid}`)
    await mkdir(folder, { recursive: true })
    removeWithUs(folder)
    await build({
      entry: [join(root, entry)],
      outDir: folder,
      format: ['esm'],
      target: 'node20',
      outExtension: () => ({ js: '.mjs' }),
      config: false,
      skipNodeModulesBundle: true,
      silent: true,
      dts: false,
      clean: false,
    })
    return new CompiledProgram(folder, join(folder, `${basename(entry, '.ts')}.mjs`))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
    noLongerRemove(this.folder)
  }
}
