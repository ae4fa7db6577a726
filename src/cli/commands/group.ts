import type { Command } from 'commander'
import type { Execute } from '../session.js'
import { addGroupConfig } from './group-config.js'
import { addGroupDelete } from './group-delete.js'
import { addGroupDescribe } from './group-describe.js'
import { addGroupForget } from './group-forget.js'
import { addGroupList } from './group-list.js'
import { addGroupReset } from './group-reset.js'

export function addGroup(program: Command, execute: Execute): void {
  const group = program.command('group').description('groups of consumers: who they are, and where they go on')
  addGroupList(group, execute)
  addGroupDescribe(group, execute)
  addGroupReset(group, execute)
  addGroupForget(group, execute)
  addGroupDelete(group, execute)
  addGroupConfig(group, execute)
}
