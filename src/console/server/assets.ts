import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TidemarkError } from '../../errors.js'

export interface Asset {
  readonly type: string
  readonly text: string
}

/** All that the page consists of, by path. Nothing else is ever read from disk for a request. */
export type Assets = ReadonlyMap<string, Asset>

const files: readonly (readonly [path: string, file: string, type: string])[] = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/page.css', 'page.css', 'text/css; charset=utf-8'],
]

/** @throws TidemarkError `not-built` where the files of the page are not there */
export function readAssets(folder: string): Assets {
  try {
    return new Map(files.map(([path, file, type]) => [path, { type, text: readFileSync(join(folder, file), 'utf8') }]))
  } catch (cause) {
    throw new TidemarkError('not-built', `the page of the console is not in ${folder}: run npm run build`, { cause })
  }
}
