//! A sheet as it is run: its head, its pieces as a driver cuts them, and the segments that the pieces make.
//! It reads a file and knows no database, no state and no plan.

mod ahead;
mod head;
mod pieces;
mod row;
mod segment;
mod survey;

pub use ahead::{Next, read_ahead};
pub use head::{Head, TxnMode};
pub use pieces::{Chunk, Fault, Pieces, PiecesError, Statement};
pub use row::row_text;
pub use segment::{Placement, Segmenter};
pub use survey::{KindCount, Survey, survey};
