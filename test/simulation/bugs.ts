// Bugs that can be planted into a simulated node, to see whether the simulation finds them.

export const bugs = {
  noFence: 'appends are written whatever their epoch',
  answerBeforeCommit: 'commands are answered before their entry is durable',
  forgetsAnswers: 'a repeated command is carried out again',
  doubleAllocation: 'an amphora is granted to whoever asks last',
  driverBeforeJournal: 'steps start before their entry is durable',
  forgetsSteps: 'steps under way are not taken up after a replay',
  snapshotOverNewer: 'a snapshot may replace a newer one',
  movesVipEarly: 'a replacement serves before the lost amphora is known to be gone',
  greetsLate: 'a newcomer to a pair starts before the other one speaks to it',
  ignoresWakeAt: 'nothing is woken at its time after a takeover',
  neverConfirms: 'what amphorae serve is not confirmed after a push of an owner that is gone',
  forgetsSharers: 'of those that share an amphora that is lost, only one hears of it',
  takesAll: 'whoever leaves a shared amphora has it destroyed, and tells nobody',
  leavesEarly: 'a shared amphora is left while a push may still reach it',
  overfills: 'a shared amphora takes whoever asks',
  lostReply: 'an amphora that was granted and not claimed is forgotten',
} as const;

export type Bug = keyof typeof bugs;
