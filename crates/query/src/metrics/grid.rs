//! What has been gathered for each group and step, by one thread and then by all.

/// What is gathered for one group in one step.
pub(crate) trait Cell: Clone + Send {
    /// Takes what another thread has gathered for the same group and step.
    fn merge(&mut self, other: Self);

    /// Bytes it takes beside its own size, about.
    fn bytes(&self) -> usize {
        0
    }
}

impl Cell for f64 {
    fn merge(&mut self, other: f64) {
        *self += other;
    }
}

/// The steps of one group.
pub(crate) struct Row<'a, C> {
    cells: &'a mut [Option<C>],
    bytes: &'a mut usize,
}

impl<C: Cell> Row<'_, C> {
    /// Gathers: `first` makes a cell where there is none yet, `more` adds to one.
    pub(crate) fn add(&mut self, step: usize, first: impl FnOnce() -> C, more: impl FnOnce(&mut C)) {
        let Some(cell) = self.cells.get_mut(step) else { return };
        let before = cell.as_ref().map_or(0, Cell::bytes);
        match cell {
            Some(cell) => more(cell),
            None => *cell = Some(first()),
        }
        *self.bytes = (*self.bytes + cell.as_ref().map_or(0, Cell::bytes)).saturating_sub(before);
    }
}

/// Cells of groups and steps.
pub(crate) struct Grid<C> {
    steps: usize,
    cells: Vec<Option<C>>,
    bytes: usize,
}

impl<C: Cell> Grid<C> {
    /// An empty one.
    pub(crate) fn new(groups: usize, steps: usize) -> Grid<C> {
        let cells: Vec<Option<C>> = std::iter::repeat_with(|| None).take(groups * steps).collect();
        Grid { steps, bytes: Grid::<C>::bytes_empty(groups, steps), cells }
    }

    /// Bytes of an empty one.
    pub(crate) fn bytes_empty(groups: usize, steps: usize) -> usize {
        groups.saturating_mul(steps).saturating_mul(size_of::<Option<C>>())
    }

    /// Bytes it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The steps of a group, to gather in.
    pub(crate) fn row(&mut self, group: usize) -> Row<'_, C> {
        let cells = &mut self.cells[group * self.steps..(group + 1) * self.steps];
        Row { cells, bytes: &mut self.bytes }
    }

    /// Takes what another thread has gathered.
    pub(crate) fn merge(&mut self, other: Grid<C>) {
        for (now, other) in self.cells.iter_mut().zip(other.cells) {
            match (now.as_mut(), other) {
                (Some(now), Some(other)) => now.merge(other),
                (None, Some(other)) => *now = Some(other),
                (_, None) => {}
            }
        }
    }

    /// The cells, group by group.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &[Option<C>]> {
        self.cells.chunks(self.steps.max(1))
    }
}
