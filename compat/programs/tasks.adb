--  Ada's tasks on GNAT: rendezvous, protected objects, delays, select with a timeout, abort of a task that sleeps.
with Ada.Text_IO; use Ada.Text_IO;

procedure Tasks is
   protected Total is
      procedure Add (Number : Integer);
      entry Wait_For (Number : Integer);
      function Value return Integer;
   private
      Sum, Count : Integer := 0;
   end Total;

   protected body Total is
      procedure Add (Number : Integer) is
      begin
         Sum := Sum + Number;
         Count := Count + 1;
      end Add;
      entry Wait_For (Number : Integer) when Count >= 50 is
      begin
         Sum := Sum + Number;
      end Wait_For;
      function Value return Integer is (Sum);
   end Total;

   task type Worker is
      entry Start (Number : Integer);
   end Worker;

   task body Worker is
      Mine : Integer;
   begin
      accept Start (Number : Integer) do
         Mine := Number;
      end Start;
      delay 0.001 * (Mine mod 5);
      Total.Add (Mine);
   end Worker;

   task Server is
      entry Double (Number : in out Integer);
   end Server;

   task body Server is
   begin
      loop
         select
            accept Double (Number : in out Integer) do
               Number := Number * 2;
            end Double;
         or
            terminate;
         end select;
      end loop;
   end Server;

   task Sleeper is
      entry Never;
   end Sleeper;

   task body Sleeper is
   begin
      delay 60.0;
      accept Never;
   end Sleeper;

   Workers : array (1 .. 50) of Worker;
   Number  : Integer := 1;
begin
   for N in Workers'Range loop
      Workers (N).Start (N);
   end loop;
   Total.Wait_For (1000);
   Put_Line ("total" & Integer'Image (Total.Value));
   for Round in 1 .. 20 loop
      Server.Double (Number);
   end loop;
   Put_Line ("doubled" & Integer'Image (Number));
   select
      Sleeper.Never;
   or
      delay 0.01;
      Put_Line ("timeout");
   end select;
   abort Sleeper;
   Put_Line ("aborted");
end Tasks;
